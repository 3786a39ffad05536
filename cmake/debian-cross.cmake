# What the toolchain files beside it share: Debian's cross gcc, the sysroot that scripts/cross-sysroot makes, and
# qemu-user to run what was built, so that the tests run too.
#
# Expects cross_processor (as `uname -m` and qemu-user call it), cross_triplet (gcc) and cross_architecture (Debian).

set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR ${cross_processor})
set(CMAKE_C_COMPILER ${cross_triplet}-gcc)
cmake_path(SET CMAKE_SYSROOT NORMALIZE "${CMAKE_CURRENT_LIST_DIR}/../build/sysroot-${cross_architecture}")
if(NOT EXISTS "${CMAKE_SYSROOT}/.complete")
    message(FATAL_ERROR "There is no ${CMAKE_SYSROOT}: make it with scripts/cross-sysroot ${cross_architecture}")
endif()
set(CMAKE_LIBRARY_ARCHITECTURE ${cross_triplet})
foreach(kind LIBRARY INCLUDE PACKAGE)
    set(CMAKE_FIND_ROOT_PATH_MODE_${kind} ONLY)
endforeach()
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(ENV{PKG_CONFIG_LIBDIR} "${CMAKE_SYSROOT}/usr/lib/${cross_triplet}/pkgconfig")
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-${cross_processor} -L "${CMAKE_SYSROOT}")
