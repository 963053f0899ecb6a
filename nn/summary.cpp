#include <adjoint/core/autograd.h>
#include <adjoint/core/multiply_adds.h>
#include <adjoint/core/random.h>
#include <adjoint/nn/summary.h>

#include <algorithm>
#include <iomanip>
#include <sstream>
#include <unordered_map>
#include <utility>

namespace adjoint::nn {
namespace {

int64_t bytes_of(const Tensor& x) {
  return x.numel() * static_cast<int64_t>(element_size(x.dtype()));
}

// All modules, with how deep they are: names may have dots.
class Rows : public Visitor {
 public:
  std::vector<LayerSummary> rows;
  std::unordered_map<const ModuleBase*, size_t> places;
  std::vector<bool> has_children;

 protected:
  bool enter(const std::string& path, ModuleBase& module) override {
    if (!open_.empty()) has_children[open_.back()] = true;
    LayerSummary row;
    row.path = path;
    row.type = module.type_name();
    row.depth = static_cast<int>(open_.size());
    for (const NamedSlot& p : module.parameters()) {
      row.parameters += p.slot->numel();
      if (p.slot->trainable()) row.trainable_parameters += p.slot->numel();
    }
    open_.push_back(rows.size());
    places.emplace(&module, rows.size());
    rows.push_back(std::move(row));
    has_children.push_back(false);
    return true;
  }
  void leave(const std::string&, ModuleBase&) override { open_.pop_back(); }

 private:
  std::vector<size_t> open_;
};

class Recorder : public CallObserver {
 public:
  explicit Recorder(Rows& table) : table_(table), outer_(set_call_observer(this)) {}
  ~Recorder() override { set_call_observer(outer_); }
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  int64_t result_bytes = 0;
  const MultiplyAddCounter counter;

  void on_enter(const ModuleBase&, std::span<const Tensor>) override {
    before_.push_back(counter.count());
  }
  void on_exit(const ModuleBase& module, std::span<const Tensor> inputs,
               std::span<const Tensor> outputs) override {
    const int64_t computed = counter.count() - before_.back();
    before_.pop_back();
    const auto place = table_.places.find(&module);
    if (place == table_.places.end()) return;
    LayerSummary& row = table_.rows[place->second];
    ++row.calls;
    row.multiply_adds += computed;
    row.outputs.clear();
    for (const Tensor& y : outputs) {
      if (!y.defined()) continue;
      row.outputs.push_back(y.shape());
      const bool own = std::ranges::none_of(
          inputs, [&y](const Tensor& x) { return x.defined() && x.raw_data() == y.raw_data(); });
      if (own && !table_.has_children[place->second]) result_bytes += bytes_of(y);
    }
  }

 private:
  Rows& table_;
  CallObserver* outer_;
  std::vector<int64_t> before_;
};

// Eval mode while it lives, then each module's own again; and the generator's state.
class Undisturbed {
 public:
  explicit Undisturbed(ModuleBase& model)
      : seed_(default_generator().seed()), offset_(default_generator().offset()) {
    for (const NamedModule& m : model.named_modules()) {
      modes_.emplace_back(m.module, m.module->is_training());
    }
    model.eval();
  }
  ~Undisturbed() {
    // Parents come first: what they say to those below is put right after.
    for (const auto& [module, training] : modes_) module->train(training);
    default_generator().set_state(seed_, offset_);
  }
  Undisturbed(const Undisturbed&) = delete;
  Undisturbed& operator=(const Undisturbed&) = delete;

 private:
  std::vector<std::pair<ModuleBase*, bool>> modes_;
  uint64_t seed_, offset_;
};

// --- text ---

// 1234567 -> "1,234,567"
std::string grouped(int64_t n) {
  std::string digits = std::to_string(n);
  for (auto i = static_cast<std::ptrdiff_t>(digits.size()) - 3; i > (n < 0 ? 1 : 0); i -= 3) {
    digits.insert(static_cast<size_t>(i), ",");
  }
  return digits;
}

std::string megabytes(int64_t bytes) {
  std::ostringstream out;
  out << std::fixed << std::setprecision(2) << static_cast<double>(bytes) / 1e6;
  return out.str();
}

std::string shapes(const LayerSummary& row) {
  if (row.calls == 0) return "--";
  std::ostringstream out;
  for (size_t i = 0; i < row.outputs.size(); ++i) out << (i > 0 ? ", " : "") << row.outputs[i];
  return out.str();
}

struct Line {
  std::string layer, shape, parameters, multiply_adds;
};

// The number of characters, of which the branches of the tree take several bytes each.
size_t width(const std::string& text) {
  return static_cast<size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::string padded(const std::string& text, size_t to, bool right) {
  const std::string space(to - std::min(to, width(text)), ' ');
  return right ? space + text : text + space;
}

std::vector<Line> lines(const std::vector<LayerSummary>& layers, int depth) {
  std::vector<Line> all{{"Layer (type)", "Output Shape", "Param #", "Mult-Adds"}};
  std::vector<std::string> paths;  // of the open rows
  for (size_t i = 0; i < layers.size(); ++i) {
    const LayerSummary& row = layers[i];
    if (depth >= 0 && row.depth > depth) continue;
    paths.resize(static_cast<size_t>(row.depth));
    // The last of its level, if the next row that is not deeper is nearer to the root.
    const auto next_of = [&](int level) {
      for (size_t j = i + 1; j < layers.size(); ++j) {
        if (layers[j].depth <= level) return layers[j].depth == level;
      }
      return false;
    };
    std::string text;
    for (int level = 1; level < row.depth; ++level) text += next_of(level) ? "│   " : "    ";
    if (row.depth > 0) text += next_of(row.depth) ? "├── " : "└── ";
    const std::string parent = paths.empty() ? std::string() : paths.back();
    const std::string name =
        row.path.substr(parent.empty() ? 0 : std::min(parent.size() + 1, row.path.size()));
    text += name.empty() ? row.type : name + " (" + row.type + ")";
    all.push_back({text, shapes(row), row.parameters == 0 ? "--" : grouped(row.parameters),
                   row.multiply_adds == 0 ? "--" : grouped(row.multiply_adds)});
    paths.push_back(row.path);
  }
  return all;
}

Json as_json(const Shape& shape) {
  Json list = Json::array();
  for (const int64_t size : shape.span()) list.push_back(size);
  return list;
}

Json as_json(const std::vector<Shape>& all) {
  Json list = Json::array();
  for (const Shape& shape : all) list.push_back(as_json(shape));
  return list;
}

}  // namespace

ModelSummary detail::summarize(ModuleBase& model, const std::vector<Tensor>& inputs,
                               const std::function<void()>& call) {
  Rows table;
  visit(model, table);
  ModelSummary result;
  {
    const Undisturbed as_it_was(model);
    const NoGrad no_grad;
    const Recorder recorder(table);
    call();
    result.multiply_adds = recorder.counter.count();
    result.forward_backward_bytes = 2 * recorder.result_bytes;
  }
  for (const Tensor& x : inputs) {
    result.inputs.push_back(x.shape());
    result.input_bytes += bytes_of(x);
  }
  result.layers = std::move(table.rows);
  result.parameters = result.layers[0].parameters;
  result.trainable_parameters = result.layers[0].trainable_parameters;
  for (const NamedSlot& p : model.parameters())
    result.parameter_bytes += bytes_of(p.slot->stored());
  for (const NamedSlot& b : model.buffers()) result.parameter_bytes += bytes_of(b.slot->stored());
  return result;
}

std::string ModelSummary::to_string(int depth) const {
  const std::vector<Line> table = lines(layers, depth);
  size_t columns[4] = {};
  for (const Line& line : table) {
    const std::string* cells[] = {&line.layer, &line.shape, &line.parameters, &line.multiply_adds};
    for (size_t c = 0; c < 4; ++c) columns[c] = std::max(columns[c], width(*cells[c]));
  }
  const std::string rule(columns[0] + columns[1] + columns[2] + columns[3] + 6, '=');
  std::ostringstream out;
  out << rule << "\n";
  for (size_t i = 0; i < table.size(); ++i) {
    const Line& line = table[i];
    out << padded(line.layer, columns[0], false) << "  " << padded(line.shape, columns[1], false)
        << "  " << padded(line.parameters, columns[2], true) << "  "
        << padded(line.multiply_adds, columns[3], true) << "\n";
    if (i == 0) out << rule << "\n";
  }
  out << rule << "\n"
      << "Total params: " << grouped(parameters) << "\n"
      << "Trainable params: " << grouped(trainable_parameters) << "\n"
      << "Non-trainable params: " << grouped(parameters - trainable_parameters) << "\n"
      << "Total mult-adds: " << grouped(multiply_adds) << "\n"
      << rule << "\n"
      << "Input size (MB): " << megabytes(input_bytes) << "\n"
      << "Forward/backward pass size (MB): " << megabytes(forward_backward_bytes) << "\n"
      << "Params size (MB): " << megabytes(parameter_bytes) << "\n"
      << "Estimated Total Size (MB): "
      << megabytes(input_bytes + forward_backward_bytes + parameter_bytes) << "\n"
      << rule << "\n";
  return out.str();
}

Json ModelSummary::to_json() const {
  Json rows = Json::array();
  for (const LayerSummary& row : layers) {
    rows.push_back(Json::object({{"path", row.path},
                                 {"type", row.type},
                                 {"depth", row.depth},
                                 {"calls", row.calls},
                                 {"outputs", as_json(row.outputs)},
                                 {"parameters", row.parameters},
                                 {"trainable_parameters", row.trainable_parameters},
                                 {"multiply_adds", row.multiply_adds}}));
  }
  return Json::object({{"layers", rows},
                       {"inputs", as_json(inputs)},
                       {"parameters", parameters},
                       {"trainable_parameters", trainable_parameters},
                       {"multiply_adds", multiply_adds},
                       {"input_bytes", input_bytes},
                       {"forward_backward_bytes", forward_backward_bytes},
                       {"parameter_bytes", parameter_bytes}});
}

}  // namespace adjoint::nn
