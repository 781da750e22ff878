#ifndef ONLY_C_H
#define ONLY_C_H
int only_c(int class);
#endif
