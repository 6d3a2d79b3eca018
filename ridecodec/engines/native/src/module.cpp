// The Python module: programs.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstring>
#include <limits>

#include "coding.hpp"
#include "dispatch.hpp"
#include "measuring.hpp"
#include "together.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace ride {
namespace {

using Longs = nb::ndarray<const int64_t, nb::c_contig, nb::device::cpu>;
using Words = nb::ndarray<const int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Planes = nb::ndarray<const uint8_t, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
using Batch = nb::ndarray<const uint8_t, nb::ndim<4>, nb::c_contig, nb::device::cpu>;

constexpr int MOST_SIDE = 1 << 24;

Array to_array(nb::handle from) {
    if (nb::isinstance<nb::int_>(from)) return {{nb::cast<int64_t>(from)}, {}};
    auto found = nb::cast<Longs>(from);
    Array array;
    array.value.assign(found.data(), found.data() + found.size());
    for (size_t i = 0; i < found.ndim(); i++)
        array.shape.push_back(found.shape(i));
    return array;
}

std::map<std::string, Array> to_arrays(nb::handle from) {
    std::map<std::string, Array> found;
    for (auto [name, value] : nb::cast<nb::dict>(from))
        found.emplace(nb::cast<std::string>(name), to_array(value));
    return found;
}

Spec to_spec(const nb::dict& from) {
    Spec spec;
    spec.channels = nb::cast<int>(from["channels"]);
    spec.top = nb::cast<int>(from["top"]);
    spec.slope = nb::cast<int>(from["slope"]);
    auto hood = nb::cast<nb::tuple>(from["hood"]);
    spec.rows_above = nb::cast<int>(hood[0]), spec.left = nb::cast<int>(hood[1]), spec.right = nb::cast<int>(hood[2]);
    for (nb::handle lead : nb::cast<nb::sequence>(from["leads"]))
        spec.leads.push_back(nb::cast<int>(lead));
    spec.halved = nb::cast<bool>(from["halved"]);
    if (spec.leads.empty() || spec.leads.back() < 0) throw Unsupported("rows that run backwards");
    if (spec.channels < 1 || spec.top < 0 || spec.top > 255 || spec.slope < 1 || spec.rows_above < 0 || spec.right < 0)
        throw Unsupported("programs of this shape");
    for (nb::handle plane : nb::cast<nb::sequence>(from["planes"])) {
        auto p = nb::cast<nb::tuple>(plane);
        spec.planes.push_back({nb::cast<int64_t>(p[0]), nb::cast<int64_t>(p[1]), nb::cast<int>(p[2]),
                               nb::cast<int64_t>(p[3]), nb::cast<int>(p[4])});
    }
    for (nb::handle plane : nb::cast<nb::sequence>(from["given"])) {
        auto p = nb::cast<nb::tuple>(plane);
        spec.given.push_back({nb::cast<int64_t>(p[0]), nb::cast<int64_t>(p[1]), nb::cast<int>(p[2])});
    }
    for (nb::handle parameter : nb::cast<nb::sequence>(from["parameters"]))
        spec.parameters.push_back(nb::cast<size_t>(nb::cast<nb::tuple>(parameter)[1]));
    for (nb::handle operation : nb::cast<nb::sequence>(from["ops"])) {
        auto o = nb::cast<nb::tuple>(operation);
        Operation made{nb::cast<std::string>(o[0]), {}, nb::cast<int>(o[2]), nb::cast<int>(o[3]), to_arrays(o[4])};
        for (nb::handle input : nb::cast<nb::sequence>(o[1]))
            made.inputs.push_back(nb::cast<int>(input));
        for (int input : made.inputs)
            if (input < 0 || size_t(input) >= spec.operations.size()) throw Unsupported("operations out of order");
        spec.operations.push_back(std::move(made));
    }
    auto lo = nb::cast<nb::sequence>(from["lo"]), hi = nb::cast<nb::sequence>(from["hi"]);
    for (size_t v = 0; v < spec.operations.size(); v++) {
        spec.ranges.push_back({to_array(lo[v]).value, to_array(hi[v]).value});
        const size_t size = size_t(spec.operations[v].size);
        if (spec.ranges[v].lo.size() != size || spec.ranges[v].hi.size() != size)
            throw Unsupported("ranges of another size");
    }
    for (nb::handle output : nb::cast<nb::sequence>(from["outputs"])) {
        auto o = nb::cast<nb::dict>(output);
        Output made{nb::cast<std::string>(o["family"]), {}, to_arrays(o["tables"])};
        for (auto [name, value] : nb::cast<nb::dict>(o["parts"]))
            made.parts[nb::cast<std::string>(name)] = nb::cast<int>(value);
        spec.outputs.push_back(std::move(made));
    }
    for (nb::handle row : nb::cast<nb::sequence>(from["kept"]))
        spec.kept.emplace_back(nb::cast<int>(row[0]), nb::cast<int>(row[1]));
    return spec;
}

const Kernels& find_kernels(const std::string& name) {
    auto usable = usable_kernels();
    if (name.empty()) return *usable.front();
    for (const Kernels* kernels : usable)
        if (kernels->name == name) return *kernels;
    throw std::invalid_argument("no kernels for the instruction set '" + name + "' here");
}

Parameters to_parameters(const std::vector<Words>& from) {
    Parameters found;
    for (const Words& each : from)
        found.emplace_back(each.data(), each.data() + each.size());
    return found;
}

std::vector<Parameters> to_all_parameters(const std::vector<std::vector<Words>>& from, size_t count) {
    if (from.size() != count) throw std::invalid_argument("parameters of another number of tiles");
    std::vector<Parameters> found;
    for (const auto& each : from)
        found.push_back(to_parameters(each));
    return found;
}

Tick to_tick(nb::object callback) {
    if (callback.is_none()) return nullptr;
    return [callback](size_t pixels, double bits) {
        nb::gil_scoped_acquire held;
        callback(pixels, bits);
    };
}

template <class T>
nb::ndarray<nb::numpy, T> empty(std::initializer_list<size_t> shape) {
    size_t size = 1;
    for (size_t n : shape)
        size *= n;
    T* data = new T[size]();
    nb::capsule owner(data, [](void* p) noexcept { delete[] static_cast<T*>(p); });
    return nb::ndarray<nb::numpy, T>(data, shape, owner);
}

class Program {
  public:
    Program(const nb::dict& spec, const std::string& isa)
        : plan_(make_plan(to_spec(spec), find_kernels(isa), Purpose::CODE)) {}

    std::string isa() const { return plan_->kernels->name; }

    size_t memory(int height, int width) const {
        check_size(height, width);
        return Extent(*plan_, height, width).end;
    }

    int together(int height, int width) const {
        check_size(height, width);
        return most_together(*plan_, height, width);
    }

    nb::tuple encode(const Batch& planes, const std::vector<std::vector<Words>>& parameters, int threads,
                     nb::object tick) const {
        const size_t count = planes.shape(0);
        const int height = side(planes.shape(2)), width = side(planes.shape(3));
        check_size(height, width);
        if (planes.shape(1) != size_t(plan_->spec.channels)) throw std::invalid_argument("another number of channels");
        auto given = to_all_parameters(parameters, count);
        Tick each = to_tick(tick);
        auto lengths = empty<float>({count, size_t(height), size_t(width)});
        std::vector<std::vector<uint8_t>> codes;
        const size_t pixels = size_t(height) * size_t(width), samples = pixels * planes.shape(1);
        {
            nb::gil_scoped_release released;
            in_groups(given, height, width, [&](size_t first, const Shape& shape) {
                for (auto& code : ride::encode(*plan_, planes.data() + first * samples, &given[first], shape, threads,
                                               lengths.data() + first * pixels, each))
                    codes.push_back(std::move(code));
            });
        }
        nb::list found;
        for (const auto& code : codes)
            found.append(nb::bytes(code.data(), code.size()));
        return nb::make_tuple(found, lengths);
    }

    nb::ndarray<nb::numpy, uint8_t> decode(const std::vector<nb::bytes>& codes,
                                           const std::vector<std::vector<Words>>& parameters, int height, int width,
                                           int threads, nb::object tick) const {
        check_size(height, width);
        auto given = to_all_parameters(parameters, codes.size());
        Tick each = to_tick(tick);
        const size_t channels = size_t(plan_->spec.channels);
        auto planes = empty<uint8_t>({codes.size(), channels, size_t(height), size_t(width)});
        std::vector<Code> read;
        for (const nb::bytes& code : codes)
            read.push_back({static_cast<const uint8_t*>(code.data()), code.size()});
        {
            nb::gil_scoped_release released;
            in_groups(given, height, width, [&](size_t first, const Shape& shape) {
                ride::decode(*plan_, &read[first], &given[first], shape, threads,
                             planes.data() + first * channels * shape.pixels(), each);
            });
        }
        return planes;
    }

    nb::list trace(const Planes& planes, const std::vector<Words>& parameters, int y, int x) const {
        const int height = side(planes.shape(1)), width = side(planes.shape(2));
        check_size(height, width);
        check_channels(planes);
        if (y < 0 || y >= height || x < 0 || x >= width) throw std::invalid_argument("there is no such pixel");
        auto whole = make_plan(plan_->spec, *plan_->kernels, Purpose::TRACE);
        auto values = ride::trace(*whole, planes.data(), to_parameters(parameters), height, width, y, x);
        nb::list found;
        for (const auto& value : values) {
            auto array = empty<int64_t>({value.size()});
            std::memcpy(array.data(), value.data(), value.size() * sizeof(int64_t));
            found.append(nb::cast(array));
        }
        return found;
    }

    nb::ndarray<nb::numpy, int32_t> values(const Planes& planes, const std::vector<Words>& parameters,
                                           const std::vector<int>& wanted) const {
        const int height = side(planes.shape(1)), width = side(planes.shape(2));
        check_size(height, width);
        check_channels(planes);
        size_t rows = 0;
        for (int value : wanted) {
            if (value < 0 || size_t(value) >= plan_->spec.operations.size())
                throw std::invalid_argument("there is no such value");
            rows += size_t(plan_->spec.operations[size_t(value)].size);
        }
        Parameters given = to_parameters(parameters);
        auto found = empty<int32_t>({rows, size_t(height), size_t(width)});
        {
            nb::gil_scoped_release released;
            auto plan = make_plan(plan_->spec, *plan_->kernels, Purpose::MEASURE, wanted);
            ride::values(*plan, planes.data(), given, height, width, found.data());
        }
        return found;
    }

  private:
    std::unique_ptr<Plan> plan_;

    // Calls `work` with the first of the tiles that are coded together, and their shape.
    template <class F>
    void in_groups(const std::vector<Parameters>& parameters, int height, int width, F work) const {
        const int most = most_together(*plan_, height, width);
        for (size_t first = 0; first < parameters.size();) {
            const int left = int(parameters.size() - first);
            const Shape shape{height, width, ride::together(left, most)};
            work(first, shape);
            first += size_t(shape.count);
        }
    }

    static int side(size_t n) { return n > size_t(MOST_SIDE) ? MOST_SIDE + 1 : int(n); }
    void check_size(int height, int width) const {
        if (height < 1 || width < 1 || height > MOST_SIDE || width > MOST_SIDE ||
            int64_t(width) + int64_t(plan_->spec.slope) * height > std::numeric_limits<int>::max() / 2)
            throw std::invalid_argument("a tile has no pixels, or too many");
    }
    void check_channels(const Planes& planes) const {
        if (planes.shape(0) != size_t(plan_->spec.channels)) throw std::invalid_argument("another number of channels");
    }
};

std::vector<std::string> instruction_sets() {
    std::vector<std::string> found;
    for (const Kernels* kernels : usable_kernels())
        found.push_back(kernels->name);
    return found;
}

}  // namespace
}  // namespace ride

NB_MODULE(_native, m) {
    using namespace ride;
    m.doc() = "Programs on the CPU.";
    nb::exception<Damaged>(m, "DamagedError", PyExc_ValueError);
    nb::exception<Unsupported>(m, "UnsupportedError", PyExc_ValueError);
    m.def("instruction_sets", &instruction_sets);
    nb::class_<ride::Program>(m, "Program")
        .def(nb::init<const nb::dict&, const std::string&>(), "spec"_a, "isa"_a = "")
        .def_prop_ro("isa", &ride::Program::isa)
        .def("memory", &ride::Program::memory, "height"_a, "width"_a)
        .def("together", &ride::Program::together, "height"_a, "width"_a)
        .def("encode", &ride::Program::encode, "planes"_a, "parameters"_a, "threads"_a = 1, "tick"_a = nb::none())
        .def("decode", &ride::Program::decode, "codes"_a, "parameters"_a, "height"_a, "width"_a, "threads"_a = 1,
             "tick"_a = nb::none())
        .def("trace", &ride::Program::trace, "planes"_a, "parameters"_a, "y"_a, "x"_a)
        .def("values", &ride::Program::values, "planes"_a, "parameters"_a, "wanted"_a);
}
