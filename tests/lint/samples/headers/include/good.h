#ifndef GOOD_H
#define GOOD_H
#include <stdint.h>
uint32_t good(void);
#endif
