/* The window at A0000h without the adapter. With packed pixels (chain-4 while the graphics controller changes
 * nothing, as mode 13h sets it up, and DISPI's banks) a byte of the window is a byte of display memory; when
 * it has been used like that for some time, the bus backs it with that memory, and a guest's store is one
 * store. As for the linear framebuffer, the first store to each page after the picture was drawn is seen.
 *
 * What changes is the map of memory, which costs everybody what they remember of it. A guest that keeps
 * switching between this and other modes therefore has to use it for ever longer until it is done again.
 *
 * It begins at an event of the clock, so that it begins in the same place in every counted run.
 *
 * NOT IMPLEMENTED: loads that are made without the adapter leave the latches as they are. Nothing uses these
 * while the window is like that. */
#include "devices/vga_internal.h"

#define WORTHWHILE     16384u /* accesses: a quarter of a picture */
#define WORTHWHILE_MAX (1u << 24)
#define ALL_PAGES      0xffffu

static void page_stored(void *opaque, uint64_t offset)
{
    struct vga *vga = opaque;
    vga->direct.open_pages |= (uint16_t)(1u << (offset / PAGE_SIZE));
    vga->dirty = true;
}

static void begin(void *opaque)
{
    struct vga *vga = opaque;
    const struct memory_watcher watcher = {.stored = page_stored, .opaque = vga};
    if (vga->direct.bytes != NULL && !vga->direct.in_force) {
        vga->direct.in_force = true;
        vga->direct.open_pages = ALL_PAGES;
        memory_bus_back_device(vga->host.memory, VGA_WINDOW_BASE, vga->direct.bytes, &watcher);
    }
}

static void end(struct vga *vga)
{
    if (vga->direct.in_force) {
        vga->direct.in_force = false;
        vga->dirty = true;
        memory_bus_back_device(vga->host.memory, VGA_WINDOW_BASE, NULL, NULL);
    }
}

void vga_direct_create(struct vga *vga)
{
    clock_event_init(&vga->direct.due, "vga-window", begin, vga);
    vga->direct.worthwhile = WORTHWHILE;
}

void vga_direct_destroy(struct vga *vga)
{
    event_clock_cancel(vga->host.clock, &vga->direct.due);
}

static uint8_t *plain_bytes(const struct vga *vga)
{
    const struct vga_window *window = &vga->window;
    bool is_plain =
        window->base == 0 && window->length == VGA_WINDOW_HALF && window->linear_read == window->linear_write;
    return is_plain ? window->linear_read : NULL;
}

void vga_direct_update(struct vga *vga)
{
    struct vga_direct *direct = &vga->direct;
    uint8_t *bytes = plain_bytes(vga);
    if (bytes == direct->bytes) {
        return;
    }
    if (direct->in_force && direct->worthwhile < WORTHWHILE_MAX) {
        direct->worthwhile *= 2;
    }
    end(vga);
    event_clock_cancel(vga->host.clock, &direct->due);
    direct->bytes = bytes;
    direct->accesses = 0;
}

void vga_direct_reset(struct vga *vga)
{
    vga->direct.worthwhile = WORTHWHILE;
}

void vga_direct_count(struct vga *vga)
{
    struct vga_direct *direct = &vga->direct;
    if (direct->bytes != NULL && ++direct->accesses == direct->worthwhile) {
        event_clock_schedule(vga->host.clock, &direct->due, event_clock_now(vga->host.clock));
    }
}

bool vga_direct_is_open(const struct vga *vga)
{
    return vga->direct.in_force && vga->direct.open_pages != 0;
}

void vga_direct_watch(struct vga *vga)
{
    struct vga_direct *direct = &vga->direct;
    for (unsigned page = 0; direct->in_force && page < VGA_WINDOW_HALF / PAGE_SIZE;) {
        unsigned first = page;
        while (page < VGA_WINDOW_HALF / PAGE_SIZE && (direct->open_pages >> page & 1) != 0) {
            page++;
        }
        if (page != first) {
            memory_bus_watch(vga->host.memory, VGA_WINDOW_BASE + first * PAGE_SIZE,
                             (page - first) * (uint64_t)PAGE_SIZE);
        }
        page++;
    }
    direct->open_pages = 0;
}
