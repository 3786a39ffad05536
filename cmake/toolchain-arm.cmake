set(cross_processor arm)
set(cross_triplet arm-linux-gnueabihf)
set(cross_architecture armhf)
include("${CMAKE_CURRENT_LIST_DIR}/debian-cross.cmake")
