#include <cmocka.h>
#include <unistd.h>
