/*
 * connect_error.h: the text behind fastnet_connect_error_text(): one per thread, the only mutable
 * state of the library that belongs to no endpoint. There is no endpoint to keep it when a create
 * or a blocking connect returned nothing.
 */
#ifndef FN_API_CONNECT_ERROR_H
#define FN_API_CONNECT_ERROR_H

#define FN_CONNECT_ERROR_BYTES 512

/* Copies the sentence (cut when too long) and returns code, so that a
 * caller can return both at once. */
int fn_connect_error_set(int code, const char *text);

/* Same, "what: detail". */
int fn_connect_error_set_detail(int code, const char *what, const char *detail);

/* Nothing went wrong on this thread: "". */
void fn_connect_error_clear(void);

#endif
