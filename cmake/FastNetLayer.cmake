# One folder, one layer: `src/<name>/*.c` becomes the static library `fn_<name>`, and each
# `src/<name>/<noun>_test.c` a cmocka program and the CTest test `unit_<name>_<noun>`. A new file
# needs no edit here or anywhere else. `test_<noun>.c` helps the tests of its folder: it is linked
# into each of them and stays out of the library.

set(FN_SOURCE_ROOT "${PROJECT_SOURCE_DIR}/src")
set(FN_INCLUDE_ROOT "${PROJECT_SOURCE_DIR}/include")

# Files of several folders, a later one replacing an earlier one of the same name.
function(fn_collect pattern result)
    set(names "")
    foreach(folder IN LISTS ARGN)
        file(GLOB found CONFIGURE_DEPENDS "${folder}/${pattern}")
        foreach(path IN LISTS found)
            get_filename_component(name "${path}" NAME)
            list(APPEND names "${name}")
            set(path_of_${name} "${path}")
        endforeach()
    endforeach()
    list(REMOVE_DUPLICATES names)
    set(paths "")
    foreach(name IN LISTS names)
        list(APPEND paths "${path_of_${name}}")
    endforeach()
    set(${result} "${paths}" PARENT_SCOPE)
endfunction()

# Those of the given targets that exist: a layer whose folder is still empty has none.
function(fn_existing_targets result)
    set(existing "")
    foreach(target IN LISTS ARGN)
        if(TARGET ${target})
            list(APPEND existing ${target})
        endif()
    endforeach()
    set(${result} "${existing}" PARENT_SCOPE)
endfunction()

# fn_test(NAME n SOURCES ... LINK ... DEFINITIONS ...): one cmocka program, one CTest test.
function(fn_test)
    cmake_parse_arguments(arg "" "NAME" "SOURCES;LINK;DEFINITIONS" ${ARGN})
    fn_existing_targets(links ${arg_LINK})
    add_executable(${arg_NAME} ${arg_SOURCES})
    target_include_directories(${arg_NAME} PRIVATE "${FN_SOURCE_ROOT}" "${FN_INCLUDE_ROOT}")
    target_compile_definitions(${arg_NAME} PRIVATE ${arg_DEFINITIONS})
    target_link_libraries(${arg_NAME} PRIVATE ${links} PkgConfig::cmocka)
    set_target_properties(${arg_NAME} PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests/unit")
    add_test(NAME ${arg_NAME} COMMAND ${arg_NAME})
    set_tests_properties(${arg_NAME} PROPERTIES LABELS unit TIMEOUT 120)
endfunction()

# fn_tests(PREFIX p FOLDER f... LINK ...): every `<noun>_test.c` in the folders.
function(fn_tests)
    cmake_parse_arguments(arg "" "PREFIX" "FOLDER;LINK;DEFINITIONS" ${ARGN})
    list(TRANSFORM arg_FOLDER PREPEND "${PROJECT_SOURCE_DIR}/")
    fn_collect("*_test.c" sources ${arg_FOLDER})
    fn_collect("test_*.c" helpers ${arg_FOLDER})
    foreach(source IN LISTS sources)
        get_filename_component(noun "${source}" NAME_WE)
        string(REGEX REPLACE "_test$" "" noun "${noun}")
        fn_test(NAME ${arg_PREFIX}_${noun} SOURCES "${source}" ${helpers} LINK ${arg_LINK}
                DEFINITIONS ${arg_DEFINITIONS})
    endforeach()
endfunction()

# fn_layer(NAME x [FOLDERS ...] DEPENDS ... LIBRARIES ... DEFINITIONS ... [TEST_ONLY])
# TEST_ONLY keeps a layer out of libfastnet.
function(fn_layer)
    cmake_parse_arguments(arg "TEST_ONLY" "NAME" "FOLDERS;DEPENDS;LIBRARIES;DEFINITIONS" ${ARGN})
    if(NOT arg_FOLDERS)
        set(arg_FOLDERS ${arg_NAME})
    endif()
    list(TRANSFORM arg_FOLDERS PREPEND "${FN_SOURCE_ROOT}/" OUTPUT_VARIABLE folders)
    fn_collect("*.c" sources ${folders})
    list(FILTER sources EXCLUDE REGEX "(/test_[^/]*|_test)\\.c$")
    list(TRANSFORM arg_DEPENDS PREPEND fn_)
    set(target fn_${arg_NAME})

    if(sources)
        fn_existing_targets(depends ${arg_DEPENDS})
        add_library(${target} STATIC ${sources})
        target_include_directories(${target} PUBLIC "${FN_SOURCE_ROOT}" "${FN_INCLUDE_ROOT}")
        target_compile_definitions(${target} PRIVATE FASTNET_BUILDING ${arg_DEFINITIONS})
        target_link_libraries(${target} PUBLIC ${depends} PRIVATE ${arg_LIBRARIES})
        if(NOT arg_TEST_ONLY)
            set_property(GLOBAL APPEND PROPERTY FN_LAYER_TARGETS ${target})
            set_property(GLOBAL APPEND PROPERTY FN_LAYER_LIBRARIES ${arg_LIBRARIES})
        endif()
    endif()

    if(FASTNET_TESTS)
        list(TRANSFORM arg_FOLDERS PREPEND "src/")
        fn_tests(PREFIX unit_${arg_NAME} FOLDER ${arg_FOLDERS}
                 LINK ${target} ${arg_DEPENDS} ${arg_LIBRARIES} DEFINITIONS ${arg_DEFINITIONS})
    endif()
endfunction()

# A folder that describes its own build joins in as soon as it does.
function(fn_add_optional_subdirectory folder)
    if(EXISTS "${PROJECT_SOURCE_DIR}/${folder}/CMakeLists.txt")
        add_subdirectory("${PROJECT_SOURCE_DIR}/${folder}" "${PROJECT_BINARY_DIR}/${folder}")
    endif()
endfunction()
