doppel_test(event_clock_test SOURCES event_clock_test.c MODULES base bus)
doppel_test(memory_bus_test SOURCES memory_bus_test.c recording_region.c MODULES base bus)
doppel_test(port_bus_test SOURCES port_bus_test.c recording_region.c MODULES base bus)
