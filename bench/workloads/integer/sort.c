/* Quicksort and heapsort of 32-bit keys: compares, swaps and unpredictable branches. */
#include "workload.h"

#define KEYS 60000u

static uint32_t keys[KEYS];

static void swap(uint32_t *a, uint32_t *b)
{
    uint32_t old = *a;
    *a = *b;
    *b = old;
}

static void sort_quick(uint32_t *from, uint32_t *to)
{
    while (to - from > 16) {
        uint32_t pivot = from[(to - from) / 2];
        uint32_t *low = from;
        uint32_t *high = to - 1;
        while (low <= high) {
            while (*low < pivot) {
                low++;
            }
            while (*high > pivot) {
                high--;
            }
            if (low <= high) {
                swap(low++, high--);
            }
        }
        sort_quick(from, high + 1);
        from = low;
    }
    for (uint32_t *at = from + 1; at < to; at++) {
        for (uint32_t *hole = at; hole > from && hole[-1] > hole[0]; hole--) {
            swap(hole - 1, hole);
        }
    }
}

static void sift_down(uint32_t *heap, uint32_t root, uint32_t count)
{
    for (uint32_t child = 2 * root + 1; child < count; child = 2 * root + 1) {
        if (child + 1 < count && heap[child] < heap[child + 1]) {
            child++;
        }
        if (heap[root] >= heap[child]) {
            return;
        }
        swap(&heap[root], &heap[child]);
        root = child;
    }
}

static void sort_heap(uint32_t *heap, uint32_t count)
{
    for (uint32_t root = count / 2; root-- > 0;) {
        sift_down(heap, root, count);
    }
    for (uint32_t left = count; left-- > 1;) {
        swap(&heap[0], &heap[left]);
        sift_down(heap, 0, left);
    }
}

static void fill(uint32_t seed)
{
    for (uint32_t i = 0; i < KEYS; i++) {
        keys[i] = workload_random(&seed);
    }
}

static uint32_t hash_keys(uint32_t hash)
{
    for (uint32_t i = 0; i < KEYS; i += 101) {
        hash = workload_hash(hash, keys[i]);
    }
    return hash;
}

uint32_t workload_run(void)
{
    fill(1);
    sort_quick(keys, keys + KEYS);
    uint32_t hash = hash_keys(WORKLOAD_HASH_START);
    fill(2);
    sort_heap(keys, KEYS);
    return hash_keys(hash);
}
