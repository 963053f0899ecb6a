// Slots: where modules keep their values, and the handles on them.
//
// A Slot holds a tensor, its gradient and what may be done with it. Modules own slots through
// Parameter and Buffer; parameters(), optimizers, averages and ties share them through SlotRef.
// Reading one slot from several threads is safe; writing it while another reads is a race.
#pragma once

#include <adjoint/core/tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace adjoint {

namespace detail {
struct CensusCount;
}

// A size that a module learns from its first input.
inline constexpr int64_t kLazy = INT64_MIN;

class Slot {
 public:
  enum class Kind : uint8_t { parameter, buffer };
  // What forward sees, as a function of what is stored: W + BA, g V / |V|, a tensor in its place.
  using Compute = std::function<Tensor(const Tensor& stored)>;
  // The same as a part of the slot, which may have slots of its own: weight norm, low-rank updates
  // (nn/parametrize.h).
  class Parametrization {
   public:
    virtual ~Parametrization() = default;
    virtual Tensor value(const Tensor& original) const = 0;
    // With slots of its own.
    virtual std::unique_ptr<Parametrization> clone() const = 0;
    // Writes the values of another one into the slots that are there.
    virtual void assign(const Parametrization& other) = 0;
  };

  // Takes the elements if nobody else sees them, a copy otherwise; history is left behind. A
  // parameter of a floating dtype is trainable.
  // Throws Error for an undefined tensor.
  explicit Slot(Tensor value, Kind kind = Kind::parameter, bool persistent = true);
  // A slot without a value, of a shape that has kLazy in it, until materialize() gives it one.
  // Reading it throws Error; its dtype and flags are what those of the value will be.
  static std::shared_ptr<Slot> lazy(const Shape& pattern, Kind kind = Kind::parameter);
  ~Slot();
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;

  bool is_lazy() const { return !pattern_.empty(); }
  // The value's shape; of a lazy slot what is known of it, "(10, ?)".
  std::string shape_text() const;
  // Whether a value of this shape may be given to it.
  bool takes(const Shape& shape) const;
  // Gives a lazy slot its value, a copy cast to its dtype. ShapeError unless takes(x.shape()).
  void materialize(const Tensor& x);

  // What is kept: a leaf, row-major, which optimizers update under NoGrad, files hold, and whose
  // grad() backward fills. Not to be kept by others: replace() and cast() exchange it.
  const Tensor& stored() const { return stored_; }
  // What forward reads: stored(), unless it is computed from it. What set_compute() set stands for
  // what is stored; a parametrization makes the value of that.
  Tensor value() const {
    return compute_ != nullptr || parametrization_ != nullptr ? computed_value() : stored_;
  }
  bool computed() const { return compute_ != nullptr || parametrization_ != nullptr; }
  // Returns the function that was there before; none (nullptr) makes value() plain again.
  Compute set_compute(Compute compute) { return std::exchange(compute_, std::move(compute)); }
  Parametrization* parametrization() const { return parametrization_.get(); }
  // nullptr for none.
  void set_parametrization(std::unique_ptr<Parametrization> parametrization) {
    parametrization_ = std::move(parametrization);
  }

  Kind kind() const { return kind_; }
  bool is_buffer() const { return kind_ == Kind::buffer; }
  // Whether files hold it.
  bool persistent() const { return persistent_; }
  bool trainable() const { return stored_.requires_grad(); }
  // AutogradError for a buffer or a dtype without gradients.
  void set_trainable(bool trainable);

  const Shape& shape() const { return stored_.shape(); }
  DType dtype() const { return stored_.dtype(); }
  int64_t numel() const { return stored_.numel(); }

  Tensor grad() const { return stored_.grad(); }
  void set_grad(Tensor grad) const { stored_.set_grad(std::move(grad)); }
  void zero_grad() const { stored_.zero_grad(); }

  // Writes x's elements over the stored ones, cast to their dtype. Graphs that saved the old ones
  // notice; the gradient stays. ShapeError unless x has the slot's shape.
  void write(const Tensor& x) const;
  // Exchanges the stored tensor for a copy of x, of any shape and dtype, without gradient. The
  // flags stay.
  void replace(const Tensor& x);
  // The same for what another slot keeps, or for having no value yet.
  void replace(const Slot& other);
  // Exchanges the stored tensor and its gradient for casts. Integers and bools stay as they are.
  void cast(DType dtype);
  // The values of other's parametrization, or one like it; none if it has none.
  void assign_parametrization(const Slot& other);

 private:
  void adopt(Tensor value);
  Tensor computed_value() const;

  Tensor stored_;
  Compute compute_;
  Shape pattern_ = {};  // of a lazy slot, whose stored_ is empty
  std::unique_ptr<Parametrization> parametrization_;
  Kind kind_;
  bool persistent_;
  std::shared_ptr<detail::CensusCount> census_;
};

using SlotRef = std::shared_ptr<Slot>;

// A slot and the path of the member that holds it, such as "transformer.h.0.attn.c_attn.weight".
struct NamedSlot {
  std::string name;
  SlotRef slot;
};

// What Parameter and Buffer have in common: a handle on a slot that copies as a value does.
//
// Copy construction makes a new slot with a copy of the stored value and of its parametrization (a
// function from set_compute() is not copied: what set it sets it again). Move construction takes
// the slot. Either
// assignment writes the value into the slot that is there, so whoever shares it sees the change;
// where the sizes or dtypes differ the slot is given a new tensor. Assigning an undefined handle
// lets the slot go. A handle without a slot is
// undefined: visits skip it, and it converts to an undefined Tensor.
class SlotHandle {
 public:
  SlotHandle() noexcept = default;
  SlotHandle(const SlotHandle& other);
  SlotHandle(SlotHandle&& other) noexcept = default;
  SlotHandle& operator=(const SlotHandle& other);
  // Writes into the existing slot, which may need memory.
  // NOLINTNEXTLINE(performance-noexcept-move-constructor)
  SlotHandle& operator=(SlotHandle&& other);

  bool defined() const { return slot_ != nullptr; }
  bool is_lazy() const { return slot_ != nullptr && slot_->is_lazy(); }
  const SlotRef& slot() const { return slot_; }

  Tensor value() const { return slot_ ? slot_->value() : Tensor(); }
  // NOLINTNEXTLINE(google-explicit-constructor): a parameter stands for its value.
  operator Tensor() const { return value(); }

  // The rest REQUIRES defined(); Error otherwise.
  const Shape& shape() const { return get().shape(); }
  int64_t size(int64_t dim) const { return get().stored().size(dim); }
  int64_t numel() const { return get().numel(); }
  DType dtype() const { return get().dtype(); }
  // Slot::write.
  void set_data(const Tensor& x) const { get().write(x); }

 protected:
  explicit SlotHandle(SlotRef slot) noexcept : slot_(std::move(slot)) {}
  ~SlotHandle() = default;
  Slot& get() const;
  // Mutable, since visiting a const module makes its ties.
  mutable SlotRef slot_;
};

// A trainable value of a module.
class Parameter : public SlotHandle {
 public:
  Parameter() noexcept = default;
  explicit Parameter(Tensor value) : SlotHandle(std::make_shared<Slot>(std::move(value))) {}
  // Another handle on a slot.
  explicit Parameter(SlotRef slot) noexcept : SlotHandle(std::move(slot)) {}

  Tensor grad() const { return get().grad(); }
  void set_grad(Tensor grad) const { get().set_grad(std::move(grad)); }
  void zero_grad() const { get().zero_grad(); }
  bool requires_grad() const { return get().trainable(); }
  void requires_grad_(bool value = true) const { get().set_trainable(value); }

  // Becomes a second handle on other's slot; its own is let go. Modules say it in members(), with
  // Visitor::tie, because copies start with slots of their own.
  void share(const Parameter& other) const { slot_ = other.slot_; }
};

// A value of a module that is not trained: running statistics, tables. Forward, which is const,
// may write it.
class Buffer : public SlotHandle {
 public:
  Buffer() noexcept = default;
  // A buffer that is not persistent is left out of state dictionaries.
  explicit Buffer(Tensor value, bool persistent = true)
      : SlotHandle(std::make_shared<Slot>(std::move(value), Slot::Kind::buffer, persistent)) {}
  // Another handle on a slot.
  explicit Buffer(SlotRef slot) noexcept : SlotHandle(std::move(slot)) {}
};

// Counts the slots that this thread creates while it lives (the innermost one, where they nest).
// A module that is built inside, and whose visit then does not reach alive() slots, forgot a
// member.
class SlotCensus {
 public:
  SlotCensus();
  ~SlotCensus();
  SlotCensus(const SlotCensus&) = delete;
  SlotCensus& operator=(const SlotCensus&) = delete;

  int64_t created() const;
  // Those of them that were not destroyed since.
  int64_t alive() const;

 private:
  std::shared_ptr<detail::CensusCount> count_, outer_;
};

}  // namespace adjoint
