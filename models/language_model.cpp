#include <adjoint/core/error.h>
#include <adjoint/models/checkpoint.h>
#include <adjoint/models/gpt.h>
#include <adjoint/models/language_model.h>
#include <adjoint/models/llama.h>
#include <adjoint/models/rnn.h>

#include "models/support/config_fields.h"

namespace adjoint::models {

void LanguageModel::save(const std::string& dir) const {
  save_model_folder(dir, [this](io::AtomicDirectory& folder) {
    folder.write("config.json", config_json().dump(2) + "\n");
    write_weights(folder, module());
  });
}

std::unique_ptr<LanguageModel> load_language_model(const std::string& dir) {
  const std::string checkpoint = find_checkpoint(dir).path;
  const std::string file = checkpoint + "/config.json";
  const Json config = load_config_json(file);
  const Json* const type = config.is_object() ? config.find("model_type") : nullptr;
  if (type != nullptr && *type == Json("llama")) {
    return std::make_unique<Llama>(Llama::load(checkpoint));
  }
  if (type != nullptr && *type == Json("rnn")) {
    return std::make_unique<Rnn>(Rnn::load(checkpoint));
  }
  check<ConfigError>(type == nullptr || *type == Json("gpt"), file, ": model_type is ",
                     type == nullptr ? "" : type->dump(),
                     "; expected \"gpt\", \"llama\" or \"rnn\", which predict the next token");
  return std::make_unique<Gpt>(Gpt::load(checkpoint));
}

}  // namespace adjoint::models
