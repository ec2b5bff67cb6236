# SPDX-License-Identifier: MIT
# What `cmake --install` puts where: command, libraries, headers, pkg-config file, CMake package, data.
# Man pages and completion install themselves where they are made (tools/gen).
include(CMakePackageConfigHelpers)
set(DVMSIM_DATA_DIR ${CMAKE_INSTALL_DATADIR}/dvmsim)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/dvmsim)

set_target_properties(dvmsim_shared PROPERTIES EXPORT_NAME dvmsim)
set_target_properties(dvmsim_static PROPERTIES EXPORT_NAME static)
install(TARGETS dvmsim dvmsim_measure RUNTIME)
foreach(kind Shared Static)
	string(TOLOWER dvmsim_${kind} target)
	install(TARGETS ${target} EXPORT dvmsim${kind} LIBRARY ARCHIVE)
	install(EXPORT dvmsim${kind} NAMESPACE dvmsim:: DESTINATION ${package_dir})
endforeach()

install(DIRECTORY ${CMAKE_SOURCE_DIR}/include/dvmsim ${CMAKE_BINARY_DIR}/include/dvmsim
	DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(DIRECTORY DESTINATION ${DVMSIM_DATA_DIR})
install(DIRECTORY ${CMAKE_SOURCE_DIR}/models DESTINATION ${DVMSIM_DATA_DIR})
install(DIRECTORY ${CMAKE_SOURCE_DIR}/traces DESTINATION ${DVMSIM_DATA_DIR} OPTIONAL)

# pkg-config: directories relative to ${prefix} unless the packager gave absolute ones.
foreach(name LIBDIR INCLUDEDIR DATADIR)
	if(IS_ABSOLUTE "${CMAKE_INSTALL_${name}}")
		set(PC_${name} "${CMAKE_INSTALL_${name}}")
	else()
		set(PC_${name} "\${prefix}/${CMAKE_INSTALL_${name}}")
	endif()
endforeach()
list(JOIN DVMSIM_PRIVATE_MODULES ", " PC_REQUIRES)
configure_file(${CMAKE_SOURCE_DIR}/cmake/dvmsim.pc.in ${CMAKE_BINARY_DIR}/dvmsim.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/dvmsim.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

configure_package_config_file(${CMAKE_SOURCE_DIR}/cmake/dvmsimConfig.cmake.in
	${CMAKE_BINARY_DIR}/dvmsimConfig.cmake
	INSTALL_DESTINATION ${package_dir} PATH_VARS DVMSIM_DATA_DIR)
# Before 1.0 a program built for 0.1 can not use 0.2.
write_basic_package_version_file(${CMAKE_BINARY_DIR}/dvmsimConfigVersion.cmake
	COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/dvmsimConfig.cmake ${CMAKE_BINARY_DIR}/dvmsimConfigVersion.cmake
	DESTINATION ${package_dir})
install(FILES ${CMAKE_SOURCE_DIR}/LICENSE ${CMAKE_SOURCE_DIR}/README.md
	${CMAKE_SOURCE_DIR}/CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
