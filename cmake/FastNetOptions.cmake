# Options, and the compiler flags that follow from them. Everything here is scoped to this project.

if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
    set(fn_default_backend linux)
else()
    set(fn_default_backend posix)
endif()

set(FASTNET_IO_BACKEND ${fn_default_backend} CACHE STRING "Socket backend: linux or posix")
set_property(CACHE FASTNET_IO_BACKEND PROPERTY STRINGS linux posix)
set(FASTNET_SANITIZE "" CACHE STRING "Sanitizers, as -fsanitize= takes them; empty for none")
option(FASTNET_TESTS "Build the tests" ${PROJECT_IS_TOP_LEVEL})
option(FASTNET_EXAMPLES "Build the examples" ${PROJECT_IS_TOP_LEVEL})
option(FASTNET_BENCH "Build the benchmarks (make bench)" OFF)
option(FASTNET_WERROR "Treat warnings as errors" OFF)
option(FASTNET_FUZZ "Build libFuzzer targets (clang)" OFF)
option(FASTNET_COVERAGE "Instrument for gcov" OFF)

if(NOT FASTNET_IO_BACKEND MATCHES "^(linux|posix)$")
    message(FATAL_ERROR "FASTNET_IO_BACKEND is '${FASTNET_IO_BACKEND}'; it must be linux or posix")
endif()
if(FASTNET_FUZZ AND NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "FASTNET_FUZZ needs clang (use the preset 'fuzz')")
endif()

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE RelWithDebInfo)
endif()

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

# Asserts stay on in every build: they state what we believe of our own code, network input never
# reaches one, and stopping is better than going on with a broken invariant.
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g")

add_compile_options(
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wstrict-prototypes
    -Wmissing-prototypes -Wpointer-arith -Wundef -Wvla -fstack-protector-strong)
if(FASTNET_WERROR)
    add_compile_options(-Werror)
endif()

if(FASTNET_SANITIZE)
    add_compile_options(-fsanitize=${FASTNET_SANITIZE} -fno-sanitize-recover=all
                        -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${FASTNET_SANITIZE})
    if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
        # Instrumented code confuses this warning; the release build still checks it.
        add_compile_options(-Wno-maybe-uninitialized)
    endif()
elseif(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
    add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
    if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
        add_link_options(-Wl,-z,relro,-z,now -Wl,--no-undefined)
    endif()
endif()

# The path of a datagram goes through many small functions of many files: inlining across them takes
# a tenth off our part of it. Fat objects, so that the archive serves other linkers and compilers.
if(CMAKE_C_COMPILER_ID STREQUAL "GNU" AND CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo" AND
   NOT FASTNET_SANITIZE AND NOT FASTNET_COVERAGE)
    set(fn_lto_default ON)
else()
    set(fn_lto_default OFF)
endif()
option(FASTNET_LTO "Optimise across files (gcc)" ${fn_lto_default})
if(FASTNET_LTO)
    add_compile_options(-flto=auto -ffat-lto-objects)
    add_link_options(-flto=auto)
endif()

if(FASTNET_FUZZ)
    add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(FASTNET_COVERAGE)
    add_compile_options(--coverage -fprofile-update=atomic)
    add_link_options(--coverage)
endif()
