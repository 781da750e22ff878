#include "fastnet.h"
#include <stdint.h>
#include <sys/types.h>
#include "base/good.h"
