/* Writes kept in memory over an image that stays as it is (-snapshot).
 *
 * Memory is taken per cluster of 64 sectors, on the first write into it; a bit per sector says which of them
 * the cluster holds, so that nothing is ever copied up from the base. Clusters are found through an
 * open-addressing hash table by cluster number. */
#include "storage/block_backend.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"

#define CLUSTER_SHIFT   6
#define CLUSTER_SECTORS (1u << CLUSTER_SHIFT)
#define FIRST_CAPACITY  64u

struct cluster {
    uint64_t number;  /* sector >> CLUSTER_SHIFT */
    uint64_t written; /* bit n: sector n of the cluster is here */
    uint8_t bytes[CLUSTER_SECTORS * BLOCK_SECTOR_SIZE];
};

struct snapshot_overlay {
    struct block_device device;
    struct block_device *base;
    struct cluster **table; /* capacity slots, NULL: free; never more than half full */
    size_t capacity;        /* a power of two */
    size_t used;
};

static struct snapshot_overlay *overlay_from(struct block_device *device)
{
    return (struct snapshot_overlay *)(void *)device;
}

/* The slot that holds cluster `number`, or the free one where it belongs. */
static struct cluster **find_slot(struct cluster **table, size_t capacity, uint64_t number)
{
    size_t slot = (size_t)((number * 0x9E3779B97F4A7C15ull) >> 32) & (capacity - 1);
    while (table[slot] != NULL && table[slot]->number != number) {
        slot = (slot + 1) & (capacity - 1);
    }
    return &table[slot];
}

static bool grow(struct snapshot_overlay *overlay)
{
    size_t capacity = overlay->capacity * 2;
    struct cluster **table = calloc(capacity, sizeof(struct cluster *));
    if (table == NULL) {
        return false;
    }
    for (size_t i = 0; i < overlay->capacity; i++) {
        if (overlay->table[i] != NULL) {
            *find_slot(table, capacity, overlay->table[i]->number) = overlay->table[i];
        }
    }
    free(overlay->table);
    overlay->table = table;
    overlay->capacity = capacity;
    return true;
}

/* The cluster, made when it is not there; NULL when out of memory. */
static struct cluster *claim_cluster(struct snapshot_overlay *overlay, uint64_t number)
{
    struct cluster **slot = find_slot(overlay->table, overlay->capacity, number);
    if (*slot != NULL) {
        return *slot;
    }
    if (overlay->used * 2 >= overlay->capacity) {
        if (!grow(overlay)) {
            return NULL;
        }
        slot = find_slot(overlay->table, overlay->capacity, number);
    }
    struct cluster *cluster = malloc(sizeof *cluster);
    if (cluster == NULL) {
        return NULL;
    }
    cluster->number = number;
    cluster->written = 0;
    *slot = cluster;
    overlay->used++;
    return cluster;
}

/* How many of the `left` sectors from `sector` on lie in its cluster. */
static uint32_t run_in_cluster(uint64_t sector, uint32_t left)
{
    uint32_t room = CLUSTER_SECTORS - (uint32_t)(sector % CLUSTER_SECTORS);
    return left < room ? left : room;
}

static struct status read_run(struct snapshot_overlay *overlay, uint64_t sector, uint32_t count, uint8_t *to)
{
    struct cluster *cluster = *find_slot(overlay->table, overlay->capacity, sector >> CLUSTER_SHIFT);
    if (cluster == NULL) {
        return block_device_read(overlay->base, sector, count, to);
    }
    for (uint32_t i = 0; i < count; i++) {
        unsigned index = (unsigned)((sector + i) % CLUSTER_SECTORS);
        uint8_t *at = to + (size_t)i * BLOCK_SECTOR_SIZE;
        if ((cluster->written >> index) & 1) {
            memcpy(at, cluster->bytes + index * BLOCK_SECTOR_SIZE, BLOCK_SECTOR_SIZE);
            continue;
        }
        struct status status = block_device_read(overlay->base, sector + i, 1, at);
        if (!status_is_ok(&status)) {
            return status;
        }
    }
    return status_ok();
}

static struct status overlay_read(struct block_device *device, uint64_t sector, uint32_t count, void *to)
{
    struct snapshot_overlay *overlay = overlay_from(device);
    uint8_t *at = to;
    while (count > 0) {
        uint32_t run = run_in_cluster(sector, count);
        struct status status = read_run(overlay, sector, run, at);
        if (!status_is_ok(&status)) {
            return status;
        }
        sector += run;
        count -= run;
        at += (size_t)run * BLOCK_SECTOR_SIZE;
    }
    return status_ok();
}

static struct status overlay_write(struct block_device *device, uint64_t sector, uint32_t count,
                                   const void *from)
{
    struct snapshot_overlay *overlay = overlay_from(device);
    const uint8_t *at = from;
    while (count > 0) {
        uint32_t run = run_in_cluster(sector, count);
        struct cluster *cluster = claim_cluster(overlay, sector >> CLUSTER_SHIFT);
        if (cluster == NULL) {
            return status_error(STATUS_NO_MEMORY, "out of memory for the snapshot of '%s'", device->path);
        }
        unsigned first = (unsigned)(sector % CLUSTER_SECTORS);
        memcpy(cluster->bytes + first * BLOCK_SECTOR_SIZE, at, (size_t)run * BLOCK_SECTOR_SIZE);
        cluster->written |= bits_mask(run) << first;
        sector += run;
        count -= run;
        at += (size_t)run * BLOCK_SECTOR_SIZE;
    }
    return status_ok();
}

static void overlay_extended(struct block_device *device)
{
    block_device_extend(overlay_from(device)->base, device->sectors);
}

static void overlay_close(struct block_device *device)
{
    struct snapshot_overlay *overlay = overlay_from(device);
    for (size_t i = 0; i < overlay->capacity; i++) {
        free(overlay->table[i]);
    }
    free(overlay->table);
    block_device_close(overlay->base);
    free(overlay);
}

static const struct block_backend snapshot_overlay_backend = {
    .name = "snapshot",
    .read = overlay_read,
    .write = overlay_write,
    .extended = overlay_extended,
    .close = overlay_close,
};

struct status snapshot_overlay_create(struct block_device *base, struct block_device **device)
{
    *device = NULL;
    struct snapshot_overlay *overlay = malloc(sizeof *overlay);
    struct cluster **table = calloc(FIRST_CAPACITY, sizeof(struct cluster *));
    if (overlay == NULL || table == NULL) {
        free(overlay);
        free(table);
        struct status status =
            status_error(STATUS_NO_MEMORY, "out of memory for the snapshot of '%s'", block_device_path(base));
        block_device_close(base);
        return status;
    }
    *overlay = (struct snapshot_overlay){
        .device = {.backend = &snapshot_overlay_backend,
                   .sectors = block_device_sectors(base),
                   .read_only = false,
                   .path = block_device_path(base)},
        .base = base,
        .table = table,
        .capacity = FIRST_CAPACITY,
    };
    *device = &overlay->device;
    return status_ok();
}
