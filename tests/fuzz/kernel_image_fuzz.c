/* Fuzzes the parser of kernel files: whatever it accepts lies inside the file and inside memory, and a Linux
 * setup can be prepared without leaving it. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "fuzz_input.h"
#include "machine/kernel_image.h"

#define RAM (64 * MIB)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kernel_image image;
    struct status status = kernel_image_parse(data, size, "file", RAM, &image);
    if (!status_is_ok(&status)) {
        assert(status.message[0] != '\0');
        return 0;
    }
    assert(image.load_count >= 1 && image.load_count <= KERNEL_LOADS_MAX && image.kernel_end <= RAM);
    for (unsigned i = 0; i < image.load_count; i++) {
        const struct kernel_load *load = &image.loads[i];
        assert((uint64_t)load->offset + load->size <= size);
        assert(load->address >= 0x10000 && (uint64_t)load->address + load->size + load->zeros <= RAM);
    }
    if (image.protocol == KERNEL_LINUX) {
        uint8_t *setup = malloc(image.loads[0].size);
        assert(setup != NULL);
        memcpy(setup, data, image.loads[0].size);
        kernel_image_prepare_setup(&image, setup, "root=/dev/sda1 vga=791", 1);
        free(setup);
    }
    return 0;
}
