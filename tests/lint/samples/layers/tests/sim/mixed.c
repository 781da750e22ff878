#include "core/conn.h"
#include "io/udp.h"
