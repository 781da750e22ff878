#ifndef NEEDS_ANOTHER_H
#define NEEDS_ANOTHER_H
uint32_t needs_another(void);
#endif
