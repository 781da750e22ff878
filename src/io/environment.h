/* Environment variables. */
#ifndef FN_IO_ENVIRONMENT_H
#define FN_IO_ENVIRONMENT_H

/*
 * The value, or NULL when unset, empty, or when the process runs with more rights than its caller
 * (setuid): an attacker could otherwise choose whom it trusts. Owned by the system; copy it soon.
 */
const char *fn_environment_get(const char *name);

#endif
