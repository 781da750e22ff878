# The command `fastnet` and the examples: the library's first users, so they see include/ only
# (the lint holds them to it; `fastnet netem` brings a library of its own, decision 0002).

# fn_program(TARGET t NAME n FOLDER f OUTPUT o): every `*.c` of a folder in one program.
function(fn_program)
    cmake_parse_arguments(arg "" "TARGET;NAME;FOLDER;OUTPUT" "" ${ARGN})
    fn_collect("*.c" sources "${arg_FOLDER}")
    list(FILTER sources EXCLUDE REGEX "_test\\.c$")
    if(NOT sources OR NOT TARGET fastnet)
        return()
    endif()
    add_executable(${arg_TARGET} ${sources})
    target_compile_definitions(${arg_TARGET} PRIVATE _GNU_SOURCE)
    target_link_libraries(${arg_TARGET} PRIVATE fastnet Threads::Threads m)
    set_target_properties(${arg_TARGET} PROPERTIES
        OUTPUT_NAME "${arg_NAME}"
        RUNTIME_OUTPUT_DIRECTORY "${arg_OUTPUT}"
        INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")
endfunction()

fn_program(TARGET fastnet_command NAME fastnet FOLDER "${PROJECT_SOURCE_DIR}/tools/fastnet"
           OUTPUT "${PROJECT_BINARY_DIR}")
if(TARGET fastnet_command AND TARGET fn_netem)
    target_link_libraries(fastnet_command PRIVATE fn_netem)
    target_compile_definitions(fastnet_command PRIVATE TOOL_HAS_NETEM)
endif()
if(FASTNET_EXAMPLES)
    file(GLOB fn_examples CONFIGURE_DEPENDS LIST_DIRECTORIES true "${PROJECT_SOURCE_DIR}/examples/*")
    foreach(folder IN LISTS fn_examples)
        if(IS_DIRECTORY "${folder}")
            get_filename_component(name "${folder}" NAME)
            fn_program(TARGET example_${name} NAME ${name} FOLDER "${folder}"
                       OUTPUT "${PROJECT_BINARY_DIR}/examples")
        endif()
    endforeach()
endif()
