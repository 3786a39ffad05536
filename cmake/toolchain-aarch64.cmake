set(cross_processor aarch64)
set(cross_triplet aarch64-linux-gnu)
set(cross_architecture arm64)
include("${CMAKE_CURRENT_LIST_DIR}/debian-cross.cmake")
