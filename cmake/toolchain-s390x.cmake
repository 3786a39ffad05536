set(cross_processor s390x)
set(cross_triplet s390x-linux-gnu)
set(cross_architecture s390x)
include("${CMAKE_CURRENT_LIST_DIR}/debian-cross.cmake")
