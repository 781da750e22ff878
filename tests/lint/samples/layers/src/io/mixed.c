#include "base/good.h"
#include <sys/epoll.h>
#include "core/conn.h"
#include <openssl/ssl.h>
