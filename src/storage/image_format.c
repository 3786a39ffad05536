/* What a file is that is no raw image, by how it begins: mistaken for one it would only look like an empty
 * disk.
 *
 * NOT IMPLEMENTED: reading any of them. */
#include <string.h>

#include "base/bits.h"
#include "storage/block_backend.h"

#define CONVERT "convert it (qemu-img convert -O raw OLD NEW), or say format=raw to -drive"
#define UNPACK  "unpack it first, or say format=raw to -drive"

static const struct {
    const char *name, *advice;
    size_t offset, length;
    const char *bytes;
} formats[] = {
    {"a qcow2 image", CONVERT, 0, 4, "QFI\xfb"},
    {"a VMDK image", CONVERT, 0, 4, "KDMV"},
    {"a VMDK image", CONVERT, 0, 20, "# Disk DescriptorFil"},
    {"a VDI image", CONVERT, 64, 4, "\x7f\x10\xda\xbe"},
    {"a VHD image", CONVERT, 0, 8, "conectix"},
    {"a VHDX image", CONVERT, 0, 8, "vhdxfile"},
    {"a compressed file (gzip)", UNPACK, 0, 3, "\x1f\x8b\x08"},
    {"a compressed file (xz)", UNPACK, 0, 6,
     "\xfd"
     "7zXZ\0"},
    {"a compressed file (bzip2)", UNPACK, 0, 3, "BZh"},
    {"a compressed file (zstd)", UNPACK, 0, 4, "\x28\xb5\x2f\xfd"},
    {"an archive (zip)", UNPACK, 0, 4, "PK\3\4"},
    {"an archive (7z)", UNPACK, 0, 6, "7z\xbc\xaf\x27\x1c"},
};

const char *image_format_of(const uint8_t *first, const char **advice)
{
    for (size_t i = 0; i < ARRAY_COUNT(formats); i++) {
        if (memcmp(first + formats[i].offset, formats[i].bytes, formats[i].length) == 0) {
            *advice = formats[i].advice;
            return formats[i].name;
        }
    }
    return NULL;
}
