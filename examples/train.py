"""Trains from Python by ctypes alone: is a point of the plane inside a circle?"""
from ctypes import CDLL, Structure, addressof, byref, c_char_p, c_double, c_float
from ctypes import c_int, c_int32, c_size_t, c_uint64, c_void_p, sizeof

class Arrays(Structure):  # fal_arrays; what is left out at the end has its default
    _fields_ = [("size", c_size_t), ("count", c_size_t), ("height", c_size_t),
                ("width", c_size_t), ("channels", c_size_t), ("type", c_int),
                ("inputs", c_void_p), ("labels", c_void_p), ("classes", c_size_t)]

class Evaluation(Structure):  # fal_evaluation
    _fields_ = [("size", c_size_t), ("samples", c_size_t), ("loss", c_double),
                ("accuracy", c_double), ("correct", c_size_t)]

fal = CDLL("libfalign.so.0")
fal.fal_error_message.restype = c_char_p

def call(name, *arguments):
    if getattr(fal, name)(*arguments):
        raise SystemExit(fal.fal_error_message().decode())

points = [(i % 50 / 25 - 1, i // 50 / 20 - 1) for i in range(2000)]
inputs = (c_float * 4000)(*(value for point in points for value in point))
labels = (c_int32 * 2000)(*(x * x + y * y < 0.5 for x, y in points))
arrays = Arrays(sizeof(Arrays), 2000, 1, 1, 2, 1, addressof(inputs),
                addressof(labels), 2)
result = Evaluation(sizeof(Evaluation))
device, data, model, trainer = c_void_p(), c_void_p(), c_void_p(), c_void_p()
call("fal_device_open", byref(device), None)
call("fal_dataset_create", byref(data), byref(arrays))
network = b"input 2, dense 64, relu, dense 2"
call("fal_model_create", byref(model), device, network, None)
call("fal_trainer_create", byref(trainer), model, None)
call("fal_trainer_fit", trainer, data, None, c_uint64(50), None, None)
call("fal_model_evaluate", model, data, None, byref(result))
print(f"{100 * result.accuracy:.2f} % right, loss {result.loss:.4f}")
fal.fal_trainer_destroy(trainer)
fal.fal_model_destroy(model)
fal.fal_dataset_destroy(data)
fal.fal_device_destroy(device)
