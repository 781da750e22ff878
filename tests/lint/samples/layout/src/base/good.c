int fn_sample(int a)
{
    return a;
}
