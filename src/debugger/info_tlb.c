/* `info tlb`: the translations that doppel remembers, which stand for a processor's TLB (mmu/mmu.h): what is
 * in them is used until the guest flushes it, whatever its page tables say by then.
 *
 * Tags say which accesses find their page there: stores are left out for pages that need care (code, first
 * write). Translated code has larger ones of its own (mmu/fast_tlb.h), copies of what was once here. */
#include "debugger/monitor_internal.h"
#include "mmu/mmu.h"

static const char *const privileges[] = {"supervisor", "user"};

static bool is_for(uint64_t tag, uint64_t linear)
{
    return tag == (linear & ~PAGE_MASK);
}

/* The page of an entry; false: it is empty. */
static bool entry_page(const struct tlb_entry *entry, uint64_t *page)
{
    const uint64_t tags[] = {entry->load_tag, entry->store_tag, entry->fetch_tag, entry->direct_tag};
    for (size_t i = 0; i < ARRAY_COUNT(tags); i++) {
        if (tags[i] != TLB_INVALID) {
            *page = tags[i];
            return true;
        }
    }
    return false;
}

static void print_entry(const struct tlb_entry *entry, uint64_t page, bool user, FILE *out)
{
    fprintf(out, "%08llx -> %08llx  %-10s %s%s%s%s\n", (unsigned long long)page,
            (unsigned long long)entry->phys, privileges[user], is_for(entry->load_tag, page) ? "r" : "-",
            is_for(entry->store_tag, page) ? "w" : "-", is_for(entry->fetch_tag, page) ? "x" : "-",
            entry->global ? " global" : "");
}

static void print_all(const struct mmu *mmu, FILE *out)
{
    for (unsigned user = 0; user < 2; user++) {
        unsigned count = 0;
        for (unsigned i = 0; i < TLB_ENTRIES; i++) {
            uint64_t page;
            if (entry_page(&mmu->tlb[user][i], &page)) {
                print_entry(&mmu->tlb[user][i], page, user != 0, out);
                count++;
            }
        }
        unsigned fast = 0;
        for (unsigned i = 0; mmu->fast[user] != NULL && i < ARRAY_COUNT(mmu->fast[user]->filled); i++) {
            fast += (unsigned)__builtin_popcountll(mmu->fast[user]->filled[i]);
        }
        fprintf(out, "%s: %u of %u entries; of translated code: %u of %u\n", privileges[user], count,
                TLB_ENTRIES, fast, mmu->fast[user] != NULL ? FAST_TLB_ENTRIES : 0);
    }
}

/* What the TLBs hold for the page of one address. */
static void print_page(const struct mmu *mmu, uint32_t linear, FILE *out)
{
    for (unsigned user = 0; user < 2; user++) {
        const struct tlb_entry *entry = &mmu->tlb[user][(linear >> PAGE_SHIFT) & (TLB_ENTRIES - 1)];
        const struct fast_tlb *fast = mmu->fast[user];
        uint64_t page;
        if (entry_page(entry, &page) && is_for(page, linear)) {
            print_entry(entry, page, user != 0, out);
        } else {
            fprintf(out, "%08llx: not there for a %s\n", (unsigned long long)(linear & ~PAGE_MASK),
                    privileges[user]);
        }
        if (fast != NULL) {
            fprintf(out, "    for translated code: %s%s\n", fast_tlb_hits(fast->load, linear, 1) ? "r" : "-",
                    fast_tlb_hits(fast->store, linear, 1) ? "w" : "-");
        }
    }
}

struct status monitor_info_tlb(struct monitor *monitor, const char *argument, FILE *out)
{
    const struct mmu *mmu = machine_mmu(monitor->machine);
    uint64_t linear = 0;
    if (argument == NULL) {
        print_all(mmu, out);
        return status_ok();
    }
    struct status status = monitor_evaluate(monitor, argument, &linear);
    if (status_is_ok(&status)) {
        print_page(mmu, (uint32_t)linear, out);
    }
    return status;
}
