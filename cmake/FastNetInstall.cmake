# `cmake --install`: headers, both libraries, the command, a CMake package and a pkg-config file.
if(NOT TARGET fastnet)
    return()
endif()

include(CMakePackageConfigHelpers)
set(fn_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/fastnet")

install(DIRECTORY "${FN_INCLUDE_ROOT}/" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
        FILES_MATCHING PATTERN "*.h")
install(TARGETS fastnet EXPORT fastnet-targets)
install(TARGETS fastnet_static EXPORT fastnet-static-targets)
if(TARGET fastnet_command)
    install(TARGETS fastnet_command)
endif()

foreach(set IN ITEMS fastnet-targets fastnet-static-targets)
    install(EXPORT ${set} NAMESPACE fastnet:: DESTINATION "${fn_package_dir}")
endforeach()

configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/fastnet-config.cmake.in"
    "${PROJECT_BINARY_DIR}/fastnet-config.cmake" INSTALL_DESTINATION "${fn_package_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/fastnet-config-version.cmake"
    COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/fastnet-config.cmake"
              "${PROJECT_BINARY_DIR}/fastnet-config-version.cmake"
        DESTINATION "${fn_package_dir}")

# The prefix is found from where the file lies, so an installed tree can be moved.
file(RELATIVE_PATH fn_prefix_from_pc "/p/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/p")
configure_file("${PROJECT_SOURCE_DIR}/cmake/fastnet.pc.in" "${PROJECT_BINARY_DIR}/fastnet.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/fastnet.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
