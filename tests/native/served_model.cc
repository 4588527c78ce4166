// Runs an exported noise model with TensorFlow's own C++ loader: no Python, no custom op.
//
//   served_model EXPORT run FOLDER
//     Each folder NUMBER-SIGNATURE of FOLDER, in the order of their names, is a request: a file
//     NAME.input, a serialized TensorProto, for each input. Writes a file NAME.output for each
//     output, or the file `error`: the status code and its message.
//   served_model EXPORT measure SIGNATURE ROWS HEIGHT WIDTH CALLS
//     Latency of CALLS equal requests after two others, and the most memory meanwhile, as JSON.
//     Percentiles are by nearest rank: of less than 100 calls p99 is the longest.
//   served_model EXPORT soak CALLS ROWS HEIGHT WIDTH
//     The three signatures in turn, each seed another, a wrong camera in every hundredth request;
//     resident memory along the way, as JSON.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "tensorflow/cc/saved_model/loader.h"
#include "tensorflow/core/framework/tensor.h"
#include "tensorflow/core/platform/env.h"
#include "tensorflow/core/public/session.h"

namespace tf = tensorflow;

using Tensors = std::map<std::string, tf::Tensor>;

void Require(const absl::Status& status) {
  if (!status.ok()) {
    std::cerr << status << std::endl;
    std::exit(1);
  }
}

class ServedModel {
 public:
  explicit ServedModel(const std::string& folder) {
    tf::SessionOptions options;
    // An operation that names a device which is not there fails, instead of running elsewhere.
    options.config.set_allow_soft_placement(false);
    Require(tf::LoadSavedModel(options, tf::RunOptions(), folder, {"serve"}, &bundle_));
  }

  // As a model server does: feeds and fetches by the names of the signature.
  absl::Status Run(const std::string& name, const Tensors& inputs, Tensors* outputs) const {
    const auto& signatures = bundle_.GetSignatures();
    const auto found = signatures.find(name);
    if (found == signatures.end()) return absl::NotFoundError("no signature " + name);
    const tf::SignatureDef& signature = found->second;
    if (inputs.size() != signature.inputs().size()) {
      return absl::InvalidArgumentError("other inputs than those of the signature");
    }
    std::vector<std::pair<std::string, tf::Tensor>> feeds;
    for (const auto& [input, tensor] : inputs) {
      const auto declared = signature.inputs().find(input);
      if (declared == signature.inputs().end()) {
        return absl::InvalidArgumentError("no input " + input);
      }
      feeds.emplace_back(declared->second.name(), tensor);
    }
    std::vector<std::string> names, fetches;
    for (const auto& [output, declared] : signature.outputs()) {
      names.push_back(output);
      fetches.push_back(declared.name());
    }
    std::vector<tf::Tensor> fetched;
    const absl::Status status = bundle_.GetSession()->Run(feeds, fetches, {}, &fetched);
    for (size_t k = 0; k < fetched.size(); ++k) (*outputs)[names[k]] = fetched[k];
    return status;
  }

  int Channels() const {
    return bundle_.GetSignatures().at("sample_noise").inputs().at("clean").tensor_shape().dim(3).size();
  }

 private:
  tf::SavedModelBundle bundle_;
};

template <typename T>
tf::Tensor Filled(T value, const tf::TensorShape& shape) {
  tf::Tensor tensor(tf::DataTypeToEnum<T>::v(), shape);
  tensor.flat<T>().setConstant(value);
  return tensor;
}

// A request of one camera and ISO.
Tensors Request(const ServedModel& model, const std::string& signature, int rows, int height,
                int width, const tf::tstring& camera, float iso) {
  const tf::TensorShape images({rows, height, width, model.Channels()});
  Tensors request = {{"clean", Filled(0.2f, images)},
                     {"iso", Filled(iso, {rows})},
                     {"camera", Filled(camera, {rows})}};
  if (signature == "log_prob") {
    request["noise"] = Filled(0.001f, images);
  } else {
    request["seed"] = Filled(7, {rows, 2});
    request["temperature"] = Filled(1.f, {rows});
  }
  return request;
}

// A valid request of `signature`, of the first camera and ISO that the model knows together.
Tensors Request(const ServedModel& model, const std::string& signature, int rows, int height,
                int width) {
  Tensors told;
  Require(model.Run("describe", {{"dummy", Filled(0.f, {1})}}, &told));
  std::vector<tf::tstring> cameras;
  std::vector<float> levels;
  for (int k = 0; k < told["cameras"].NumElements(); ++k)
    cameras.push_back(told["cameras"].flat<tf::tstring>()(k));
  for (int k = 0; k < told["iso_levels"].NumElements(); ++k)
    levels.push_back(told["iso_levels"].flat<float>()(k));
  if (cameras.empty()) cameras.push_back("");
  if (levels.empty()) levels.push_back(100);
  for (const tf::tstring& camera : cameras) {
    for (const float iso : levels) {
      // `describe` does not tell the pairs: a small request does.
      Tensors answer;
      if (!model.Run("log_prob", Request(model, "log_prob", 1, 2, 2, camera, iso), &answer).ok() ||
          (answer.count("valid") && !answer["valid"].flat<bool>()(0)))
        continue;
      return Request(model, signature, rows, height, width, camera, iso);
    }
  }
  std::cerr << "the model knows no camera at an ISO" << std::endl;
  std::exit(1);
}

// Of /proc/self/status, in megabytes: VmRSS, what is resident, VmHWM, the most that was.
double Megabytes(const std::string& entry) {
  std::ifstream status("/proc/self/status");
  std::string line;
  while (std::getline(status, line)) {
    if (line.rfind(entry + ":", 0) == 0) return std::stod(line.substr(entry.size() + 1)) / 1024;
  }
  return 0;
}

// Makes VmHWM what is resident now, so that it is not of the loading; false where Linux does not.
bool ResetPeak() {
  std::ofstream file("/proc/self/clear_refs");
  file << "5" << std::flush;
  return file.good();
}

double Seconds() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}

void RunRequests(const ServedModel& model, const std::string& folder) {
  tf::Env* env = tf::Env::Default();
  std::vector<std::string> names;
  Require(env->GetChildren(folder, &names));
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    const std::string request = folder + "/" + name;
    std::vector<std::string> files;
    Require(env->GetChildren(request, &files));
    Tensors inputs, outputs;
    absl::Status status;
    for (const std::string& file : files) {
      const size_t dot = file.rfind(".input");
      if (dot == std::string::npos) continue;
      tf::TensorProto proto;
      if (!tf::ReadBinaryProto(env, request + "/" + file, &proto).ok() ||
          !inputs[file.substr(0, dot)].FromProto(proto)) {
        status = absl::InvalidArgumentError(file + " is not a tensor");
      }
    }
    if (status.ok()) status = model.Run(name.substr(name.find('-') + 1), inputs, &outputs);
    if (!status.ok()) {
      std::ofstream(request + "/error") << status.raw_code() << " " << status.message();
    }
    for (const auto& [output, tensor] : outputs) {
      tf::TensorProto proto;
      // Other languages do not decode the content of text.
      tensor.dtype() == tf::DT_STRING ? tensor.AsProtoField(&proto)
                                      : tensor.AsProtoTensorContent(&proto);
      Require(tf::WriteBinaryProto(env, request + "/" + output + ".output", proto));
    }
  }
}

void Measure(const ServedModel& model, const std::string& signature, int rows, int height,
             int width, int calls) {
  const Tensors request = Request(model, signature, rows, height, width);
  const double before = Megabytes("VmRSS");
  const bool is_reset = ResetPeak();
  std::vector<double> seconds;
  for (int call = -2; call < calls; ++call) {
    Tensors outputs;
    const double start = Seconds();
    Require(model.Run(signature, request, &outputs));
    if (call >= 0) seconds.push_back(Seconds() - start);
  }
  double total = 0;
  for (double s : seconds) total += s;
  std::sort(seconds.begin(), seconds.end());
  const auto quantile = [&](double q) {
    return 1e3 * seconds[std::max(std::ceil(q * seconds.size()), 1.0) - 1];
  };
  std::cout << "{\"p50_ms\": " << quantile(0.5) << ", \"p99_ms\": " << quantile(0.99)
            << ", \"rows_per_second\": " << rows * calls / total
            << ", \"before_mb\": " << before << ", \"peak_mb\": " << Megabytes("VmHWM")
            << ", \"peak_is_of_calls\": " << (is_reset ? "true" : "false") << "}" << std::endl;
}

void Soak(const ServedModel& model, int calls, int rows, int height, int width) {
  const std::vector<std::string> signatures = {"serving_default", "sample_noise", "log_prob"};
  std::map<std::string, Tensors> requests;
  for (const auto& name : signatures) requests[name] = Request(model, name, rows, height, width);
  std::ostringstream memory;
  int errors = 0;
  const double start = Seconds();
  for (int call = 0; call < calls; ++call) {
    const std::string& signature = signatures[call % signatures.size()];
    Tensors inputs = requests[signature];
    if (inputs.count("seed")) inputs["seed"] = Filled(call, {rows, 2});
    if (call % 100 == 99) inputs["camera"] = Filled(tf::tstring("unknown"), {rows});
    Tensors outputs;
    errors += !model.Run(signature, inputs, &outputs).ok();
    if (call % std::max(1, calls / 20) == 0 || call == calls - 1) {
      memory << (call ? ", " : "") << "[" << call << ", " << Megabytes("VmRSS") << "]";
    }
  }
  std::cout << "{\"calls\": " << calls << ", \"errors\": " << errors
            << ", \"seconds\": " << Seconds() - start << ", \"resident_mb\": [" << memory.str()
            << "]}" << std::endl;
}

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const auto is = [&](const char* command, size_t count) {
    return arguments.size() == count && arguments[1] == command;
  };
  const auto number = [&](int k) { return std::stoi(arguments[k]); };
  if (is("run", 3)) {
    RunRequests(ServedModel(arguments[0]), arguments[2]);
  } else if (is("measure", 7)) {
    Measure(ServedModel(arguments[0]), arguments[2], number(3), number(4), number(5), number(6));
  } else if (is("soak", 6)) {
    Soak(ServedModel(arguments[0]), number(2), number(3), number(4), number(5));
  } else {
    std::cerr << "See the comment at the head of served_model.cc for the arguments." << std::endl;
    return 2;
  }
  return 0;
}
