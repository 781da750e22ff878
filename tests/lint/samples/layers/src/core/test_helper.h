#include <setjmp.h>
