// Contexts that learn as a tile is coded, see exact/memory.py. Included inside the kernels' namespace.

constexpr uint32_t HASH_MASK = 0x7fffffff, HASH_FACTOR = 0x2c1b3c6d;
constexpr int32_t MOST_RIGHT = 15, UNKNOWN = MOST_RIGHT + 1;

// `x`: what contexts are of. `out`, of each context: latest, before, counts and hashes; the last two in int32.
template <class X, class O>
void look(const Step& s, const Frame& f) {
    const int32_t* ends = static_cast<const int32_t*>(s.table);
    const int bits = f.slot_bits;
    const uint32_t mask = (uint32_t(1) << bits) - 1;
    const Slot* slots = f.memory[s.bits];
    const int32_t last = (1 << f.tile_bits) - 1;  // each tile has its own contexts
    const ptrdiff_t apart = ptrdiff_t(s.count) << bits;
    alignas(64) uint32_t state[LANES];
    for (int32_t i = 0; i < f.lanes; i++)
        state[i] = 1;
    for (int32_t c = 0, row = 0; c < s.count; c++, slots += size_t(mask) + 1) {
        for (; row < ends[c]; row++) {
            const X* RESTRICT x = at<const X>(f, s.x.id[row]);
            for (int32_t j = 0; j < f.lanes; j += CHUNK)
                for (int i = j; i < j + CHUNK; i++) {
                    const uint32_t v = uint32_t(x[i]);
                    const uint64_t h = uint64_t((state[i] ^ v) & HASH_MASK) * HASH_FACTOR + (v >> 16);
                    state[i] = uint32_t(h ^ (h >> 15) ^ (h >> 31)) & HASH_MASK;
                }
        }
        O* RESTRICT latest = at<O>(f, s.out.id[c]);
        O* RESTRICT before = at<O>(f, s.out.id[s.count + c]);
        int32_t* RESTRICT count = at<int32_t>(f, s.out.id[2 * s.count + c]);
        int32_t* RESTRICT hash = at<int32_t>(f, s.out.id[3 * s.count + c]);
        for (int32_t i = 0; i < f.lanes; i++) {
            const Slot& found = slots[(i & last) * apart + ptrdiff_t(state[i] & mask)];
            const bool known = found.tag == (state[i] >> bits) + 1;
            latest[i] = known ? O(found.latest) : O(-1), before[i] = known ? O(found.before) : O(-1);
            count[i] = known ? int32_t(found.count) : UNKNOWN, hash[i] = int32_t(state[i]);
        }
    }
}

// `x`: what `look` gave; `y`: what the pixels were. Of pixels with one slot the last one stays.
template <class X>
void learn(const Step& s, const Frame& f) {
    const int bits = f.slot_bits;
    const uint32_t mask = (uint32_t(1) << bits) - 1;
    Slot* slots = f.memory[s.bits];
    const int32_t last = (1 << f.tile_bits) - 1;
    const ptrdiff_t apart = ptrdiff_t(s.count) << bits;
    const X* value = at<const X>(f, s.y.id[0]);
    for (int32_t c = 0; c < s.count; c++, slots += size_t(mask) + 1) {
        const X* latest = at<const X>(f, s.x.id[c]);
        const X* before = at<const X>(f, s.x.id[s.count + c]);
        const int32_t* count = at<const int32_t>(f, s.x.id[2 * s.count + c]);
        const int32_t* hash = at<const int32_t>(f, s.x.id[3 * s.count + c]);
        for (int32_t i = 0; i < f.pixels; i++) {
            const bool right = latest[i] == value[i];
            const X other = right ? before[i] : latest[i];
            slots[(i & last) * apart + ptrdiff_t(uint32_t(hash[i]) & mask)] = {
                uint32_t(value[i]), uint32_t(other < 0 ? value[i] : other), (uint32_t(hash[i]) >> bits) + 1,
                uint32_t(right ? least(count[i] + 1, MOST_RIGHT) : 0)};
        }
    }
}

Run find_look(int x, int out) {
    if (x == I32) return out == I32 ? look<int32_t, int32_t> : look<int32_t, int64_t>;
    return out == I32 ? look<int64_t, int32_t> : look<int64_t, int64_t>;
}
Run find_learn(int x) { return x == I32 ? learn<int32_t> : learn<int64_t>; }
