#include <adjoint/core/error.h>
#include <adjoint/core/json.h>
#include <adjoint/core/safetensors.h>

#include <algorithm>
#include <limits>

#include "core/io/checked.h"

namespace adjoint {
namespace {

// What a small tensor in a map takes, generously. A header can name a tensor in fifty bytes: only
// so many are loaded that the file and 16 MiB pay for them.
constexpr uint64_t kBytesPerTensor = 512;
constexpr uint64_t kFreeBytes = uint64_t{16} << 20;

// A name for an error message.
std::string quoted(const std::string& name) {
  return Json(name.size() <= 80 ? name : "(" + std::to_string(name.size()) + " bytes)").dump();
}

std::vector<SafetensorsData> describe(const std::map<std::string, Tensor>& tensors,
                                      std::vector<Tensor>* packed) {
  std::vector<SafetensorsData> described;
  for (const auto& [name, tensor] : tensors) {
    check<Error>(tensor.defined(), "save_safetensors: ", name, ": the tensor is undefined");
    packed->push_back(tensor.detach().contiguous());
    const Tensor& source = packed->back();
    described.push_back({name, stored_type(source.dtype()), source.shape(), source.raw_data()});
  }
  return described;
}

}  // namespace

Tensor load_tensor(const SafetensorsFile& file, size_t i) {
  const SafetensorsFile::Entry entry = file[i];
  const auto dtype = dtype_of_stored(entry.type);
  check<IoError>(dtype.has_value(), file.source(), ": tensor ", quoted(entry.name), ": of type ",
                 name(entry.type), "; expected F32, F64, BF16, F16, I64, I32, U8 or BOOL");
  // Sizes beside a zero are not bounded by the file, and strides are products of them.
  std::optional<uint64_t> extent = element_size(*dtype);
  for (const uint64_t dim : entry.dims) {
    extent = extent ? io::checked_mul(*extent, std::max<uint64_t>(dim, 1)) : std::nullopt;
  }
  check<IoError>(extent && *extent <= uint64_t{std::numeric_limits<int64_t>::max()}, file.source(),
                 ": tensor ", quoted(entry.name), ": its sizes overflow 63 bits");
  Tensor tensor = empty(entry.shape(), *dtype);
  dispatch(*dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    file.read(i, {reinterpret_cast<std::byte*>(tensor.mutable_data<T>()), entry.bytes});
  });
  return tensor;
}

std::map<std::string, Tensor> load_safetensors(const SafetensorsFile& file) {
  check<IoError>(file.size() <= (file.file_bytes() + kFreeBytes) / kBytesPerTensor, file.source(),
                 ": too many tensors: ", file.size(), " in a file of ", file.file_bytes(),
                 " bytes");
  std::map<std::string, Tensor> tensors;
  for (size_t i = 0; i < file.size(); ++i) tensors[file[i].name] = load_tensor(file, i);
  return tensors;
}

std::map<std::string, Tensor> load_safetensors(const std::string& path) {
  return load_safetensors(SafetensorsFile::open(path));
}

void save_safetensors(io::FileSink& out, const std::map<std::string, Tensor>& tensors,
                      const SafetensorsMetadata& metadata) {
  std::vector<Tensor> packed;
  write_safetensors(out, describe(tensors, &packed), metadata);
}

void save_safetensors(const std::string& path, const std::map<std::string, Tensor>& tensors,
                      const SafetensorsMetadata& metadata) {
  std::vector<Tensor> packed;
  write_safetensors(path, describe(tensors, &packed), metadata);
}

}  // namespace adjoint
