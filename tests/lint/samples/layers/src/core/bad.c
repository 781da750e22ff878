#include "crypto/aead.h"
#include "api/endpoint.h"
#  include <sodium.h>
#include <pthread.h>
