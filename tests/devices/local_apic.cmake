doppel_test(local_apic_test SOURCES local_apic_test.c local_apic_rig.c device_bench.c MODULES devices)
doppel_test(local_apic_timer_test SOURCES local_apic_timer_test.c local_apic_rig.c device_bench.c MODULES devices)
