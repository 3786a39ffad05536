doppel_test(disk_geometry_test SOURCES disk_geometry_test.c MODULES machine base)
