/* Succeeds if the library that was linked is the one whose header was included. */
#include <fastnet.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
    char expected[32];
    snprintf(expected, sizeof(expected), "%d.%d.%d", FASTNET_VERSION_MAJOR, FASTNET_VERSION_MINOR,
             FASTNET_VERSION_PATCH);
    printf("header %s, library %s\n", expected, fastnet_version());
    return strcmp(expected, fastnet_version()) == 0 ? 0 : 1;
}
