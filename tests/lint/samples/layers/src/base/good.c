#include "base/good.h"
#include "fastnet.h"
#include <string.h>
/* #include <stdio.h> in a comment is none of our business. */
