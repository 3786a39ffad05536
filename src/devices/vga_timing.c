/* When things happen in a frame: retrace, display enable, the start address latch and the vertical interrupt.
 *
 * IBM PS/2 Technical Reference, CRT controller registers 00h-12h. Line and frame lengths follow the
 * programmed totals and the dot clock; the two external clocks count as 28.322 MHz. DISPI modes have no
 * timing of their own and run at 60 Hz with the proportions of 640x480.
 *
 * No monitor follows more than a few hundred frames a second, and a guest could program millions: frames are
 * stretched to SHORTEST_FRAME_PS. */
#include "devices/vga_internal.h"

#define PS_PER_SECOND     1000000000000ull
#define PS_PER_NS         1000u
#define SHORTEST_FRAME_PS (PS_PER_SECOND / 500)

#define CRTC_INTERRUPT_NOT_CLEARED 0x10u
#define CRTC_INTERRUPT_DISABLED    0x20u

static void legacy_timing(const struct vga *vga, struct vga_timing *timing, uint32_t *total_lines)
{
    uint32_t clock = (vga->misc & 0x0c) == 0 ? 25175000 : 28322000;
    uint32_t dots = (vga->sequencer[SEQUENCER_CLOCKING] & 0x01) != 0 ? 8 : 9;
    uint32_t slow = (vga->sequencer[SEQUENCER_CLOCKING] & 0x08) != 0 ? 2 : 1;
    uint32_t scale = vga_vertical_scale(vga);
    *total_lines = vga_vertical_total(vga) * scale;
    timing->line_ps = vga_horizontal_total(vga) * dots * slow * PS_PER_SECOND / clock;
    timing->display_lines = vga_vertical_display(vga) * scale;
    uint32_t start = vga_vertical_retrace_start(vga);
    uint32_t length = (vga->crtc[CRTC_VERTICAL_RETRACE_END] - start) & 0xf;
    timing->retrace_start = start * scale;
    timing->retrace_end = (start + (length == 0 ? 16 : length)) * scale;
}

static void dispi_timing(const struct vga *vga, struct vga_timing *timing, uint32_t *total_lines)
{
    uint32_t lines = vga->dispi.reg[DISPI_YRES];
    *total_lines = lines + lines / 12 + 8;
    timing->line_ps = PS_PER_SECOND / 60 / *total_lines;
    timing->display_lines = lines;
    timing->retrace_start = lines + lines / 48 + 1;
    timing->retrace_end = timing->retrace_start + 2;
}

/* The place in the frame, in picoseconds. */
static uint64_t frame_position(struct vga *vga)
{
    uint64_t elapsed = event_clock_now(vga->host.clock) - vga->frame_epoch;
    return elapsed % vga->timing.frame_ps * PS_PER_NS % vga->timing.frame_ps;
}

/* The virtual time at which the next line `line` of a frame begins. */
static uint64_t next_time_of_line(struct vga *vga, uint32_t line)
{
    uint64_t frame = vga->timing.frame_ps;
    uint64_t wait = (line * vga->timing.line_ps % frame + frame - frame_position(vga)) % frame;
    if (wait == 0) {
        wait = frame;
    }
    return event_clock_now(vga->host.clock) + wait / PS_PER_NS + 1;
}

static void latch_start(void *opaque)
{
    struct vga *vga = opaque;
    uint16_t start = (uint16_t)vga_programmed_start(vga);
    vga->dirty |= vga->start_address != start;
    vga->start_address = start;
}

void vga_timing_start_written(struct vga *vga)
{
    if (!vga_crtc_running(vga) || vga_programmed_start(vga) == vga->start_address) {
        event_clock_cancel(vga->host.clock, &vga->retrace_event);
        latch_start(vga);
    } else if (!clock_event_is_scheduled(&vga->retrace_event)) {
        event_clock_schedule(vga->host.clock, &vga->retrace_event,
                             next_time_of_line(vga, vga->timing.retrace_start));
    }
}

static bool interrupt_is_possible(const struct vga *vga)
{
    unsigned control = vga->crtc[CRTC_VERTICAL_RETRACE_END];
    return vga_crtc_running(vga) &&
           (control & (CRTC_INTERRUPT_NOT_CLEARED | CRTC_INTERRUPT_DISABLED)) == CRTC_INTERRUPT_NOT_CLEARED;
}

static void schedule_interrupt(struct vga *vga)
{
    if (interrupt_is_possible(vga)) {
        event_clock_schedule(vga->host.clock, &vga->interrupt_event,
                             next_time_of_line(vga, vga->timing.display_lines));
    } else {
        event_clock_cancel(vga->host.clock, &vga->interrupt_event);
    }
}

static void raise_interrupt(void *opaque)
{
    struct vga *vga = opaque;
    vga->interrupt_pending = true;
    irq_line_raise(&vga->vertical_interrupt);
    schedule_interrupt(vga);
}

void vga_timing_interrupt_written(struct vga *vga)
{
    if ((vga->crtc[CRTC_VERTICAL_RETRACE_END] & CRTC_INTERRUPT_NOT_CLEARED) == 0) {
        vga->interrupt_pending = false;
        irq_line_lower(&vga->vertical_interrupt);
    }
    if (interrupt_is_possible(vga) != clock_event_is_scheduled(&vga->interrupt_event)) {
        schedule_interrupt(vga);
    }
}

static bool timing_equals(const struct vga_timing *a, const struct vga_timing *b)
{
    return a->line_ps == b->line_ps && a->frame_ps == b->frame_ps &&
           a->display_line_ps == b->display_line_ps && a->display_lines == b->display_lines &&
           a->retrace_start == b->retrace_start && a->retrace_end == b->retrace_end;
}

void vga_timing_update(struct vga *vga)
{
    struct vga_timing timing = {0};
    uint32_t total_lines;
    if (vga_dispi_enabled(vga)) {
        dispi_timing(vga, &timing, &total_lines);
    } else {
        legacy_timing(vga, &timing, &total_lines);
    }
    if (timing.line_ps * total_lines < SHORTEST_FRAME_PS) {
        timing.line_ps = SHORTEST_FRAME_PS / total_lines;
    }
    timing.frame_ps = timing.line_ps * total_lines;
    uint32_t total = vga_horizontal_total(vga);
    uint32_t display = vga_horizontal_display(vga);
    timing.display_line_ps = timing.line_ps * (display < total ? display : total) / total;
    if (timing_equals(&timing, &vga->timing)) {
        return;
    }
    vga->timing = timing;
    vga->frame_epoch = event_clock_now(vga->host.clock);
    if (clock_event_is_scheduled(&vga->retrace_event)) {
        event_clock_cancel(vga->host.clock, &vga->retrace_event);
        vga_timing_start_written(vga);
    }
    schedule_interrupt(vga);
}

uint8_t vga_timing_status(struct vga *vga)
{
    if (!vga_crtc_running(vga) && !vga_dispi_enabled(vga)) {
        return 0x01;
    }
    const struct vga_timing *timing = &vga->timing;
    uint64_t position = frame_position(vga);
    uint64_t line = position / timing->line_ps;
    bool displaying = line < timing->display_lines && position % timing->line_ps < timing->display_line_ps;
    bool retrace = line >= timing->retrace_start && line < timing->retrace_end;
    return (uint8_t)((displaying ? 0 : 0x01) | (retrace ? 0x08 : 0));
}

uint64_t vga_timing_frames(struct vga *vga)
{
    uint64_t frame_ns = vga->timing.frame_ps / PS_PER_NS;
    return event_clock_now(vga->host.clock) / frame_ns;
}

void vga_timing_create(struct vga *vga)
{
    clock_event_init(&vga->retrace_event, "vga-retrace", latch_start, vga);
    clock_event_init(&vga->interrupt_event, "vga-interrupt", raise_interrupt, vga);
}

void vga_timing_destroy(struct vga *vga)
{
    event_clock_cancel(vga->host.clock, &vga->retrace_event);
    event_clock_cancel(vga->host.clock, &vga->interrupt_event);
}
