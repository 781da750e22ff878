#ifndef FN_BASE_GOOD_H
#define FN_BASE_GOOD_H
#include "good.h"
int fn_good(int class);
#endif
