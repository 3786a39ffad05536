/* See disk_geometry.h. */
#include "machine/disk_geometry.h"

#include "base/bits.h"

#define SIGNATURE_AT   0x1FE
#define SIGNATURE      0xAA55
#define TABLE_AT       0x1BE
#define TABLE_ENTRIES  4u
#define ENTRY_SIZE     16u
#define CYLINDER_LIMIT 1023u /* stands for all that are beyond it as well */

/* One end of a partition. */
struct chs {
    uint32_t cylinder;
    uint32_t head;
    uint32_t sector; /* from 1 */
};

static struct chs chs_load(const uint8_t *bytes)
{
    return (struct chs){.cylinder = (uint32_t)(bytes[1] & 0xC0) << 2 | bytes[2],
                        .head = bytes[0],
                        .sector = bytes[1] & 0x3Fu};
}

/* Whether the place is sector number `lba` in this geometry. Places beyond the last cylinder that can be
 * written down agree with any. */
static bool chs_agrees(const struct chs *place, uint64_t lba, uint32_t heads, uint32_t sectors)
{
    if (place->cylinder >= CYLINDER_LIMIT) {
        return true;
    }
    return place->head < heads && place->sector >= 1 && place->sector <= sectors &&
           ((uint64_t)place->cylinder * heads + place->head) * sectors + place->sector - 1 == lba;
}

bool disk_geometry_from_mbr(const uint8_t *mbr, uint64_t disk_sectors, struct disk_geometry *geometry)
{
    if (load_le16(mbr + SIGNATURE_AT) != SIGNATURE) {
        return false;
    }
    for (unsigned i = 0; i < TABLE_ENTRIES; i++) {
        const uint8_t *entry = mbr + TABLE_AT + (size_t)(i * ENTRY_SIZE);
        uint64_t first = load_le32(entry + 8);
        uint64_t count = load_le32(entry + 12);
        struct chs start = chs_load(entry + 1);
        struct chs end = chs_load(entry + 5);
        uint32_t heads = end.head + 1;
        uint32_t sectors = end.sector;
        bool possible = entry[4] != 0 && count != 0 && first + count <= disk_sectors && heads <= 255 &&
                        sectors != 0 && disk_sectors / (heads * sectors) != 0;
        if (possible && chs_agrees(&start, first, heads, sectors) &&
            chs_agrees(&end, first + count - 1, heads, sectors)) {
            uint64_t cylinders = disk_sectors / (heads * sectors);
            *geometry = (struct disk_geometry){.cylinders = (uint32_t)(cylinders & UINT32_MAX),
                                               .heads = (uint8_t)heads,
                                               .sectors = (uint8_t)sectors};
            return true;
        }
    }
    return false;
}
