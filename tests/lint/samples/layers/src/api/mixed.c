#include "core/conn.h"
#include "io/udp.h"
#include "fastnet/certificate.h"
#include <stdlib.h>
#include <sys/socket.h>
#include <openssl/ssl.h>
