/* The standard floppy formats; see floppy_geometry.h. */
#include "storage/floppy_geometry.h"

#include <stdio.h>
#include <string.h>

#include "base/bits.h"

// clang-format off
static const struct floppy_geometry standard_geometries[] = {
    /* name                  drive               rate             tracks heads sectors */
    {"160 KB 5.25\"",        FLOPPY_DRIVE_360K,  FLOPPY_RATE_250K, 40, 1,  8},
    {"180 KB 5.25\"",        FLOPPY_DRIVE_360K,  FLOPPY_RATE_250K, 40, 1,  9},
    {"320 KB 5.25\"",        FLOPPY_DRIVE_360K,  FLOPPY_RATE_250K, 40, 2,  8},
    {"360 KB 5.25\"",        FLOPPY_DRIVE_360K,  FLOPPY_RATE_250K, 40, 2,  9},
    {"720 KB 3.5\"",         FLOPPY_DRIVE_720K,  FLOPPY_RATE_250K, 80, 2,  9},
    {"1.2 MB 5.25\"",        FLOPPY_DRIVE_1200K, FLOPPY_RATE_500K, 80, 2, 15},
    {"1.44 MB 3.5\"",        FLOPPY_DRIVE_1440K, FLOPPY_RATE_500K, 80, 2, 18},
    {"1.68 MB 3.5\" (DMF)",  FLOPPY_DRIVE_1440K, FLOPPY_RATE_500K, 80, 2, 21},
    {"1.72 MB 3.5\"",        FLOPPY_DRIVE_1440K, FLOPPY_RATE_500K, 82, 2, 21},
    {"2.88 MB 3.5\"",        FLOPPY_DRIVE_2880K, FLOPPY_RATE_1M,   80, 2, 36},
};

static const struct {
    const char *name;
    bool is_3_5_inch;
} drive_types[FLOPPY_DRIVE_TYPE_COUNT] = {
    [FLOPPY_DRIVE_NONE]  = {"none",            false},
    [FLOPPY_DRIVE_360K]  = {"360 KB 5.25\"",   false},
    [FLOPPY_DRIVE_1200K] = {"1.2 MB 5.25\"",   false},
    [FLOPPY_DRIVE_720K]  = {"720 KB 3.5\"",    true},
    [FLOPPY_DRIVE_1440K] = {"1.44 MB 3.5\"",   true},
    [FLOPPY_DRIVE_2880K] = {"2.88 MB 3.5\"",   true},
};
// clang-format on

const struct floppy_geometry *floppy_geometry_standard(unsigned index)
{
    return index < ARRAY_COUNT(standard_geometries) ? &standard_geometries[index] : NULL;
}

struct status floppy_geometry_detect(const char *path, uint64_t sectors, struct floppy_geometry *geometry)
{
    char accepted[128] = "";
    for (unsigned i = 0; i < ARRAY_COUNT(standard_geometries); i++) {
        uint32_t standard = floppy_geometry_sectors(&standard_geometries[i]);
        if (standard == sectors) {
            *geometry = standard_geometries[i];
            return status_ok();
        }
        size_t used = strlen(accepted);
        snprintf(accepted + used, sizeof accepted - used, "%s%u", i > 0 ? ", " : "", standard / 2);
    }
    return status_error(STATUS_UNSUPPORTED,
                        "'%s' is not a floppy image: it has %llu bytes; accepted are %s KiB", path,
                        (unsigned long long)sectors * 512, accepted);
}

/* BIOS parameter block: bytes per sector at 0Bh, sectors at 13h, sectors per track at 18h, heads at 1Ah. */
static bool describes(const uint8_t *boot, const struct floppy_geometry *geometry)
{
    return load_le16(boot + 0x0B) == 512 && load_le16(boot + 0x13) == floppy_geometry_sectors(geometry) &&
           load_le16(boot + 0x18) == geometry->sectors_per_track && load_le16(boot + 0x1A) == geometry->heads;
}

struct status floppy_geometry_guess(const char *path, uint64_t sectors, const uint8_t *boot,
                                    struct floppy_geometry *geometry)
{
    const struct floppy_geometry *usual = NULL;
    for (unsigned i = 0; i < ARRAY_COUNT(standard_geometries); i++) {
        const struct floppy_geometry *standard = &standard_geometries[i];
        uint32_t size = floppy_geometry_sectors(standard);
        if (size == sectors || (size > sectors && describes(boot, standard))) {
            *geometry = *standard;
            return status_ok();
        }
        bool common = size == 2880 || size == 5760;
        if (usual == NULL && common && size > sectors) {
            usual = standard;
        }
    }
    if (usual == NULL) {
        return status_error(
            STATUS_UNSUPPORTED,
            "'%s' is too large for a floppy disk (%llu bytes): -hda takes hard disks, -cdrom CD-ROMs", path,
            (unsigned long long)sectors * 512);
    }
    *geometry = *usual;
    return status_ok();
}

const char *floppy_drive_type_name(enum floppy_drive_type type)
{
    return drive_types[type].name;
}

bool floppy_drive_type_fits(enum floppy_drive_type type, const struct floppy_geometry *geometry)
{
    return type != FLOPPY_DRIVE_NONE &&
           drive_types[type].is_3_5_inch == drive_types[geometry->drive].is_3_5_inch;
}

bool floppy_drive_type_reads(enum floppy_drive_type type, const struct floppy_geometry *geometry)
{
    /* Within a form factor the types are numbered by what they can do. */
    return floppy_drive_type_fits(type, geometry) && type >= geometry->drive;
}
