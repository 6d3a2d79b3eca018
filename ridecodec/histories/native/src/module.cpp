// The Python module: what of histories is too slow in NumPy.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <algorithm>
#include <stdexcept>

#include "conversion.hpp"
#include "photo_cd.hpp"
#include "spread.hpp"
#include "window.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace ride::histories {
namespace {

template <class T, size_t N>
using In = nb::ndarray<const T, nb::ndim<N>, nb::c_contig, nb::device::cpu>;
template <class T, size_t N>
using InOut = nb::ndarray<T, nb::ndim<N>, nb::c_contig, nb::device::cpu>;
template <class T>
using Out = nb::ndarray<nb::numpy, T>;

template <class T>
Out<T> empty(std::initializer_list<size_t> shape) {
    size_t size = 1;
    for (size_t n : shape)
        size *= n;
    T* data = new T[size];
    nb::capsule owner(data, [](void* p) noexcept { delete[] static_cast<T*>(p); });
    return Out<T>(data, shape, owner);
}

void check(bool fits) {
    if (!fits) throw std::invalid_argument("the arrays do not fit each other");
}

Picture picture(const In<uint8_t, 3>& colours) {
    check(colours.shape(0) == 3);
    return {colours.data(), int64_t(colours.shape(1)), int64_t(colours.shape(2))};
}

nb::tuple photo_cd_ranges(const In<uint8_t, 3>& colours, const In<uint8_t, 2>& first, const In<uint8_t, 2>& second) {
    const size_t height = colours.shape(1), width = colours.shape(2);
    check(first.shape(0) == height && first.shape(1) == width && second.shape(0) == height && second.shape(1) == width);
    auto low = empty<int32_t>({height, width}), high = empty<int32_t>({height, width});
    ranges(picture(colours), first.data(), second.data(), low.data(), high.data());
    return nb::make_tuple(low, high);
}

nb::tuple photo_cd_inverted(const In<uint8_t, 3>& colours) {
    const size_t height = colours.shape(1), width = colours.shape(2);
    auto first = empty<int32_t>({height, width}), second = empty<int32_t>({height, width});
    auto known = empty<bool>({height, width});
    invert(picture(colours), first.data(), second.data(), known.data());
    return nb::make_tuple(first, second, known);
}

Out<int32_t> photo_cd_best(const In<uint8_t, 3>& colours, const In<int32_t, 3>& planes, const nb::tuple& begin,
                           const In<int64_t, 1>& y, const In<int64_t, 1>& x, const In<int32_t, 2>& start,
                           const In<bool, 2>& there, const In<int32_t, 2>& steps) {
    const size_t n = y.shape(0), height = planes.shape(1), width = planes.shape(2);
    check(planes.shape(0) == 2 && x.shape(0) == n && start.shape(0) == 2 && start.shape(1) == n &&
          there.shape(0) == 9 && there.shape(1) == n && steps.shape(1) == 2);
    for (size_t i = 0; i < n; i++)
        check(y.data()[i] >= 0 && size_t(y.data()[i]) < height && x.data()[i] >= 0 && size_t(x.data()[i]) < width);
    const Halves halves{{planes.data(), planes.data() + height * width},
                        int64_t(height),
                        int64_t(width),
                        nb::cast<int64_t>(begin[0]),
                        nb::cast<int64_t>(begin[1])};
    auto found = empty<int32_t>({2, n});
    best(picture(colours), halves, {y.data(), x.data(), start.data(), there.data(), n}, steps.data(), steps.shape(0),
         found.data());
    return found;
}

// The tables of a conversion, which are held as long as it is.
struct Packed {
    In<int32_t, 2> tables;
    In<int16_t, 1> levels;
    int shift;

    explicit Packed(const nb::tuple& from)
        : tables(nb::cast<In<int32_t, 2>>(from[0])),
          levels(nb::cast<In<int16_t, 1>>(from[1])),
          shift(nb::cast<int>(from[2])) {
        check(tables.shape(0) == 5 && tables.shape(1) == 256 && levels.shape(0) > 0 && levels.shape(0) % 2 == 0);
    }

    Conversion conversion() const {
        const int32_t* data = tables.data();
        return {shift,      data,        data + 256,    data + 512,
                data + 768, data + 1024, levels.data(), int64_t(levels.shape(0) / 2)};
    }
};

nb::tuple fitting(const nb::tuple& packed, const In<uint8_t, 2>& colours, const In<uint8_t, 1>& cb,
                  const In<uint8_t, 1>& cr) {
    const size_t n = colours.shape(1);
    check(colours.shape(0) == 3 && cb.shape(0) == n && cr.shape(0) == n);
    const Packed given(packed);
    const Conversion of = given.conversion();
    auto first = empty<int64_t>({n}), last = empty<int64_t>({n}), missed = empty<int64_t>({n});
    for (size_t i = 0; i < n; i++) {
        const Fit fit = of.fit(colours.data() + i, n, cb.data()[i], cr.data()[i]);
        first.data()[i] = fit.first, last.data()[i] = fit.last, missed.data()[i] = fit.missed;
    }
    return nb::make_tuple(first, last, missed);
}

nb::tuple found(const nb::tuple& packed, const In<int32_t, 1>& lights, const In<int32_t, 1>& blues,
                const In<int32_t, 2>& guesses, const In<uint8_t, 2>& colours) {
    const size_t n = colours.shape(1);
    check(colours.shape(0) == 3 && lights.shape(0) == 1 << 16 && blues.shape(0) == 1 << 16 && guesses.shape(0) == 3 &&
          guesses.shape(1) == 4);
    auto planes = empty<int32_t>({3, n});
    auto known = empty<bool>({n});
    const Packed given(packed);
    find(given.conversion(), {lights.data(), blues.data(), guesses.data()}, colours.data(), n, planes.data(),
         known.data());
    return nb::make_tuple(planes, known);
}

Axis axis(const nb::tuple& from) {
    return {nb::cast<int64_t>(from[0]), nb::cast<bool>(from[1]), nb::cast<int64_t>(from[2]), nb::cast<int64_t>(from[3]),
            nb::cast<int64_t>(from[4])};
}

void mend_by(const InOut<uint8_t, 3>& planes, const nb::tuple& rows, const nb::tuple& columns, const In<int64_t, 1>& y,
             const In<int64_t, 1>& x, const In<int64_t, 4>& moves, const Judge& judge) {
    const Axis down = axis(rows), across = axis(columns);
    const Moves made{moves.data(), moves.shape(0), moves.shape(1), moves.shape(2), moves.shape(3)};
    check(planes.shape(0) == made.planes && int64_t(planes.shape(1)) == down.samples &&
          int64_t(planes.shape(2)) == across.samples && y.shape(0) == x.shape(0) && made.count > 0 &&
          made.planes == (judge.conversion ? 2u : 1u));
    for (size_t i = 0; i < y.shape(0); i++)
        check(y.data()[i] >= 0 && y.data()[i] + int64_t(made.down) <= down.samples && x.data()[i] >= 0 &&
              x.data()[i] + int64_t(made.across) <= across.samples);
    mend(planes.data(), down, across, y.data(), x.data(), y.shape(0), made, judge);
}

void mend_chroma(const InOut<uint8_t, 3>& planes, const nb::tuple& rows, const nb::tuple& columns,
                 const In<int64_t, 1>& y, const In<int64_t, 1>& x, const In<int64_t, 4>& moves, int64_t most,
                 const In<int32_t, 2>& seen, const In<bool, 2>& known) {
    const size_t height = size_t(axis(rows).pixels), width = size_t(axis(columns).pixels);
    check(seen.shape(0) == height && seen.shape(1) == width && known.shape(0) == height && known.shape(1) == width);
    mend_by(planes, rows, columns, y, x, moves, {most, seen.data(), known.data(), nullptr, nullptr});
}

void mend_colours(const InOut<uint8_t, 3>& planes, const nb::tuple& rows, const nb::tuple& columns,
                  const In<int64_t, 1>& y, const In<int64_t, 1>& x, const In<int64_t, 4>& moves, int64_t most,
                  const nb::tuple& packed, const In<uint8_t, 3>& colours) {
    const Picture whole = picture(colours);
    check(whole.height == axis(rows).pixels && whole.width == axis(columns).pixels);
    const Packed given(packed);
    const Conversion of = given.conversion();
    mend_by(planes, rows, columns, y, x, moves, {most, nullptr, nullptr, &of, colours.data()});
}

Out<float> sharpened(const In<float, 2>& shown, bool down, bool across, int rounds) {
    auto found = empty<float>({shown.shape(0), shown.shape(1)});
    sharpen(shown.data(), shown.shape(0), shown.shape(1), down, across, rounds, found.data());
    return found;
}

Line line(const nb::tuple& from) {
    return {nb::cast<int64_t>(from[0]), nb::cast<int64_t>(from[1]), nb::cast<int64_t>(from[2]),
            nb::cast<int64_t>(from[3]), nb::cast<int64_t>(from[4]), nb::cast<bool>(from[5])};
}

// Whether all samples that the pixels depend on are at hand: the ends tell.
bool covered(const Line& line) {
    if (line.first < 0 || line.length < 1) return false;
    const int64_t last = line.first + line.length - 1;
    const auto inside = [&](int64_t at) { return at >= 0 && at < line.end - line.begin; };
    for (int64_t pixel : {line.first, std::min(line.first + 1, last), std::max(last - 1, line.first), last})
        if (!inside(line.near(pixel)) || (line.smooth && !inside(line.beside(pixel)))) return false;
    return true;
}

Out<uint8_t> spread_smooth(const In<uint8_t, 2>& part, const nb::tuple& rows, const nb::tuple& columns) {
    const Line down = line(rows), across = line(columns);
    check(covered(down) && covered(across) && int64_t(part.shape(0)) == down.end - down.begin &&
          int64_t(part.shape(1)) == across.end - across.begin && (down.smooth || across.smooth));
    auto pixels = empty<uint8_t>({size_t(down.length), size_t(across.length)});
    spread(part.data(), down, across, pixels.data());
    return pixels;
}

}  // namespace
}  // namespace ride::histories

NB_MODULE(_histories, m) {
    using namespace ride::histories;
    m.doc() = "What of histories is too slow in NumPy.";
    m.def("photo_cd_ranges", &photo_cd_ranges, "colours"_a, "first"_a, "second"_a);
    m.def("photo_cd_inverted", &photo_cd_inverted, "colours"_a);
    m.def("photo_cd_best", &photo_cd_best, "colours"_a, "halves"_a, "first"_a, "y"_a, "x"_a, "start"_a, "there"_a,
          "steps"_a);
    m.def("fitting", &fitting, "conversion"_a, "colours"_a, "cb"_a, "cr"_a);
    m.def("found", &found, "conversion"_a, "lights"_a, "blues"_a, "guesses"_a, "colours"_a);
    m.def("mend_chroma", &mend_chroma, "planes"_a, "rows"_a, "columns"_a, "y"_a, "x"_a, "moves"_a, "most"_a, "seen"_a,
          "known"_a);
    m.def("mend_colours", &mend_colours, "planes"_a, "rows"_a, "columns"_a, "y"_a, "x"_a, "moves"_a, "most"_a,
          "conversion"_a, "colours"_a);
    m.def("sharpened", &sharpened, "shown"_a, "down"_a, "across"_a, "rounds"_a);
    m.def("spread_smooth", &spread_smooth, "part"_a, "rows"_a, "columns"_a);
}
