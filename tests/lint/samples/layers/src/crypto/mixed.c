#include "base/good.h"
#include <openssl/ssl.h>
#include "io/udp.h"
#include "fastnet.h"
#include <time.h>
