# libfastnet: all layers in one shared library and in one archive. Both appear once src/api exists.
get_property(fn_layers GLOBAL PROPERTY FN_LAYER_TARGETS)
get_property(fn_libraries GLOBAL PROPERTY FN_LAYER_LIBRARIES)
list(REMOVE_DUPLICATES fn_libraries)

function(fn_product target kind)
    foreach(layer IN LISTS fn_layers)
        list(APPEND objects $<TARGET_OBJECTS:${layer}>)
    endforeach()
    add_library(${target} ${kind} ${objects})
    add_library(fastnet::${target} ALIAS ${target})
    target_include_directories(${target} INTERFACE
        $<BUILD_INTERFACE:${FN_INCLUDE_ROOT}>
        $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
    target_link_libraries(${target} PRIVATE ${fn_libraries})
    set_target_properties(${target} PROPERTIES
        OUTPUT_NAME fastnet
        LINKER_LANGUAGE C
        LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}"
        ARCHIVE_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}")
endfunction()

if(TARGET fn_api)
    fn_product(fastnet SHARED)
    set_target_properties(fastnet PROPERTIES
        VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
    fn_product(fastnet_static STATIC)
endif()
