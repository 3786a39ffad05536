/* See guest_memory.h. */
#include "debugger/guest_memory.h"

#include "machine/machine.h"

bool guest_memory_translate(struct machine *machine, uint64_t linear, uint64_t *phys)
{
    return mmu_probe(machine_mmu(machine), linear & UINT32_MAX, phys);
}

/* The physical address and its page; NULL: not mapped. */
static struct memory_page *find_page(struct machine *machine, enum guest_space space, uint64_t address,
                                     uint64_t *phys)
{
    *phys = address;
    if (space == GUEST_LINEAR && !guest_memory_translate(machine, address, phys)) {
        return NULL;
    }
    return memory_bus_page(machine_memory(machine), *phys);
}

static size_t part_of_page(uint64_t address, size_t length)
{
    uint64_t left = PAGE_SIZE - (address & PAGE_MASK);
    return length < left ? length : (size_t)left;
}

size_t guest_memory_read(struct machine *machine, enum guest_space space, uint64_t address, void *to,
                         size_t length)
{
    size_t done = 0;
    while (done < length) {
        uint64_t phys;
        const struct memory_page *page = find_page(machine, space, address + done, &phys);
        if (page == NULL || page->read == NULL) {
            break;
        }
        size_t part = part_of_page(phys, length - done);
        memcpy((uint8_t *)to + done, page->read + (phys & PAGE_MASK), part);
        done += part;
    }
    return done;
}

static bool keeps_stores(const struct memory_page *page)
{
    return page != NULL && (page->write != NULL || (page->region != NULL && page->region->write != NULL));
}

size_t guest_memory_write(struct machine *machine, enum guest_space space, uint64_t address, const void *from,
                          size_t length)
{
    size_t done = 0;
    while (done < length) {
        uint64_t phys;
        if (!keeps_stores(find_page(machine, space, address + done, &phys))) {
            break;
        }
        size_t part = part_of_page(phys, length - done);
        memory_bus_write_block(machine_memory(machine), phys, (const uint8_t *)from + done, part);
        done += part;
    }
    return done;
}

static struct status not_mapped(enum guest_space space, uint64_t address)
{
    return status_error(STATUS_NOT_FOUND,
                        space == GUEST_LINEAR ? "linear address 0x%llx is not mapped"
                                              : "there is no memory at physical address 0x%llx",
                        (unsigned long long)address);
}

struct status guest_memory_unreadable(struct machine *machine, enum guest_space space, uint64_t address)
{
    uint64_t phys;
    const struct memory_page *page = find_page(machine, space, address, &phys);
    if (page == NULL) {
        return not_mapped(space, address);
    }
    if (page->region != NULL) {
        return status_error(STATUS_UNSUPPORTED, "0x%llx belongs to a device (%s), which reading might change",
                            (unsigned long long)address, page->region->name);
    }
    return not_mapped(GUEST_PHYSICAL, phys);
}

struct status guest_memory_unwritable(struct machine *machine, enum guest_space space, uint64_t address)
{
    uint64_t phys;
    const struct memory_page *page = find_page(machine, space, address, &phys);
    if (page == NULL) {
        return not_mapped(space, address);
    }
    if (page->read != NULL || page->region != NULL) {
        return status_error(STATUS_READ_ONLY, "what is at 0x%llx cannot be written",
                            (unsigned long long)address);
    }
    return not_mapped(GUEST_PHYSICAL, phys);
}

struct status guest_memory_load(struct machine *machine, enum guest_space space, uint64_t address,
                                unsigned width, uint64_t *value)
{
    uint8_t bytes[8];
    size_t done = guest_memory_read(machine, space, address, bytes, width);
    if (done < width) {
        return guest_memory_unreadable(machine, space, address + done);
    }
    *value = load_le(bytes, width);
    return status_ok();
}

struct status guest_memory_store(struct machine *machine, enum guest_space space, uint64_t address,
                                 unsigned width, uint64_t value)
{
    uint8_t bytes[8];
    store_le(bytes, width, value);
    size_t done = guest_memory_write(machine, space, address, bytes, width);
    return done < width ? guest_memory_unwritable(machine, space, address + done) : status_ok();
}
