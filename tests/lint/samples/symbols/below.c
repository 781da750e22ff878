int fn_below(int a)
{
    return a + 1;
}
