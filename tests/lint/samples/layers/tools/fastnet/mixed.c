#include "fastnet.h"
#include "own.h"
#include <fastnet/certificate.h>
#include <signal.h>
#include "base/good.h"
#include "../../src/base/good.h"
#include <openssl/x509.h>
#include "link/link.h"
