#include <adjoint/core/autocast.h>
#include <adjoint/core/autograd.h>
#include <adjoint/core/checkpoint.h>
#include <adjoint/core/error.h>
#include <adjoint/core/precision.h>

#include <memory>
#include <mutex>

#include "core/autograd/recompute.h"
#include "core/autograd/saved.h"
#include "core/tensor/tensor_impl.h"

namespace adjoint {
namespace {

thread_local int recomputations = 0;

// Where generators stood, and puts them there for a while.
class GeneratorStates {
 public:
  explicit GeneratorStates(std::vector<Generator*> named) : named_(std::move(named)) {
    states_ = current();
  }
  void exchange() {
    std::vector<Generator> now = current();
    for (size_t i = 0; i < states_.size(); ++i) {
      generator(i).set_state(states_[i].seed(), states_[i].offset());
    }
    states_ = std::move(now);
  }

 private:
  // First that of the calling thread, which may be another one the second time.
  Generator& generator(size_t i) const { return i == 0 ? default_generator() : *named_[i - 1]; }
  std::vector<Generator> current() const {
    std::vector<Generator> all;
    for (size_t i = 0; i <= named_.size(); ++i) all.push_back(generator(i));
    return all;
  }
  std::vector<Generator*> named_;
  std::vector<Generator> states_;
};

// What a scope does not keep: see Note [Recomputation].
bool kept_by_others(const Tensor& x, int output) {
  return output < 0 && wants_grad(x) && x.impl()->node->is_leaf();
}

class Checkpoint final : public SaveSource, public std::enable_shared_from_this<Checkpoint> {
 public:
  Checkpoint(TensorFunction fn, const std::vector<Tensor>& inputs, const CheckpointOptions& options)
      : fn_(std::move(fn)), generators_(options.generators) {
    for (const Tensor& x : inputs) inputs_.emplace_back(x, -1, "checkpoint");
  }

  std::vector<Tensor> first_call(const std::vector<Tensor>& inputs) {
    const std::shared_ptr<Checkpoint> self = shared_from_this();
    const Running running(*this);
    Numbering scope(*this);
    return fn_(inputs);
  }

  Tensor open(size_t index) override {
    const std::lock_guard lock(mutex_);
    check<AutogradError>(!running_,
                         "checkpoint: a gradient was asked for inside of the function, of what it "
                         "computes; expected it outside; or call the function without checkpoint");
    if (!done_) second_call();
    const Value& value = values_[index];
    check_unchanged(value.elements, value.version);
    return value.elements;
  }

  void drop(size_t index) noexcept override {
    const std::lock_guard lock(mutex_);
    values_[index] = {};
    values_[index].wanted = false;
  }

 private:
  struct Value {
    Tensor elements = {};
    uint64_t version = 0;
    bool wanted = true;
  };

  // While fn runs.
  class Running {
   public:
    explicit Running(Checkpoint& owner) : owner_(owner) { owner_.running_ = true; }
    ~Running() { owner_.running_ = false; }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

   private:
    Checkpoint& owner_;
  };

  class Numbering final : public SaveScope {
   public:
    explicit Numbering(Checkpoint& owner) : owner_(owner) {}
    std::shared_ptr<const Postponed> save(const Tensor& x, int output) override {
      if (kept_by_others(x, output)) return nullptr;
      const size_t index = owner_.values_.size();
      owner_.values_.emplace_back();
      owner_.kinds_.push_back({x.shape(), x.dtype()});
      return std::make_shared<const Postponed>(owner_.shared_from_this(), index, x, output < 0);
    }

   private:
    Checkpoint& owner_;
  };

  class Collecting final : public SaveScope {
   public:
    explicit Collecting(Checkpoint& owner) : owner_(owner) { ++recomputations; }
    ~Collecting() override { --recomputations; }
    std::shared_ptr<const Postponed> save(const Tensor& x, int output) override {
      if (kept_by_others(x, output)) return nullptr;
      const size_t index = next++;
      if (index >= owner_.values_.size()) return nullptr;
      const OutputMeta& kind = owner_.kinds_[index];
      check<AutogradError>(x.shape() == kind.shape && x.dtype() == kind.dtype,
                           "checkpoint: the function saved a tensor of shape ", kind.shape,
                           " and dtype ", kind.dtype, ", and one of shape ", x.shape(),
                           " and dtype ", x.dtype(),
                           " when it was called again; expected it to do the same each time");
      Value& value = owner_.values_[index];
      if (value.wanted) {
        value = {make_view(x, x.shape(), x.strides(), x.impl()->offset), x.version(), true};
      }
      return nullptr;
    }
    size_t next = 0;

   private:
    Checkpoint& owner_;
  };

  void second_call() {
    struct Exchange {
      explicit Exchange(GeneratorStates& of) : states(of) { states.exchange(); }
      ~Exchange() { states.exchange(); }
      Exchange(const Exchange&) = delete;
      Exchange& operator=(const Exchange&) = delete;
      GeneratorStates& states;
    };
    std::vector<Tensor> inputs;
    for (const SavedTensor& x : inputs_) inputs.push_back(x.defined() ? *x : Tensor());
    const Running running(*this);
    const Exchange generators(generators_);
    const EnableGrad recording;
    const Autocast autocast(autocast_);
    const PrecisionGuard precision(precision_);
    Collecting scope(*this);
    fn_(inputs);
    check<AutogradError>(scope.next == values_.size(), "checkpoint: the function saved ",
                         values_.size(), " tensors, and ", scope.next,
                         " when it was called again; expected it to do the same each time");
    done_ = true;
    fn_ = nullptr;
    inputs_.clear();
  }

  TensorFunction fn_;
  std::vector<SavedTensor> inputs_;
  GeneratorStates generators_;
  bool autocast_ = autocast_enabled();
  Precision precision_ = float32_matmul_precision();

  // Recursive, since what is dropped while fn runs may be its own.
  std::recursive_mutex mutex_;
  bool running_ = false, done_ = false;
  std::vector<OutputMeta> kinds_;
  std::vector<Value> values_;
};

}  // namespace

bool recomputing() { return recomputations > 0; }

std::vector<Tensor> checkpoint(TensorFunction fn, const std::vector<Tensor>& inputs,
                               const CheckpointOptions& options) {
  check<ConfigError>(fn != nullptr, "checkpoint: no function; expected one");
  if (!grad_enabled()) return fn(inputs);
  return std::make_shared<Checkpoint>(std::move(fn), inputs, options)->first_call(inputs);
}

}  // namespace adjoint
