#include "core/conn.h"
#include "good.h"
#include <sys/socket.h>
#include <stdlib.h>
