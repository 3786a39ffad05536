doppel_test(char_device_test SOURCES char_device_test.c MODULES chardev base LIBRARIES util)
doppel_test(char_socket_test SOURCES char_socket_test.c MODULES chardev base)
