#define FASTNET_API __attribute__((visibility("default")))
/* FASTNET_API int fastnet_only_in_a_comment(void); */
FASTNET_API int fastnet_good(void);
FASTNET_API const char *fastnet_pointer(int (*fastnet_callback)(void *), void *context);
FASTNET_API
    int fastnet_missing(int count);
